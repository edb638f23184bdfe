// Regret in blocks: every combiner plays every sequence once; the block of length L where it fared worst counts.
import { RandomPlayout, Tournament } from 'cairn/online';
import { Rng } from 'cairn/tensor';
import { AdaNormalHedge, Cbce, FixedShare, Hedge, type Weighing } from './peers.ts';
import type { Sequence } from './sequences.ts';

/** What a combiner may know beforehand. */
export interface Setting {
  readonly experts: number;
  /** Length of the sequence. */
  readonly steps: number;
  /** Length of the blocks in which regret is measured. */
  readonly block: number;
  readonly rng: Rng;
}

export interface Contender {
  readonly name: string;
  create(setting: Setting): Weighing;
}

/** Ours: told the length of the block; half the root mean square difference of two experts is taken to be 0.6. */
export const ours: Contender = {
  name: 'random playout',
  create: ({ experts, block, rng }) => new RandomPlayout(experts, { horizon: block, deviation: 0.6, rng }),
};

/** Told the length of the sequence or of the block where their theory has a use for it. */
export const peers: readonly Contender[] = [
  { name: 'Hedge', create: ({ experts, steps }) => Hedge.tuned(experts, steps) },
  { name: 'fixed share (0.3, 1/64)', create: ({ experts }) => new FixedShare(experts, 0.3, 1 / 64) },
  {
    name: 'fixed share, a switch a block',
    create: ({ experts, steps, block }) => FixedShare.tuned(experts, steps, steps / block),
  },
  { name: 'AdaNormalHedge', create: ({ experts }) => new AdaNormalHedge(experts) },
  { name: 'CBCE', create: ({ experts }) => new Cbce(experts) },
  {
    name: 'Hedge begun anew every block',
    create: ({ experts, block }) => restarted(block, () => Hedge.tuned(experts, block)),
  },
];

/** Others of ours, for the record. */
export const relatives: readonly Contender[] = [
  {
    name: 'random playout, worst case',
    create: ({ experts, block, rng }) => new RandomPlayout(experts, { horizon: block, rng }),
  },
  { name: 'tournament, memory 64', create: ({ experts }) => new Tournament(experts, { memory: 64 }) },
  { name: 'tournament, memory of a block', create: ({ experts, block }) => new Tournament(experts, { memory: block }) },
];

/** The largest regret to the best expert of any whole block. */
export function worstBlock(sequence: Sequence, combiner: Weighing, block: number): number {
  const experts = sequence.gains[0]!.length;
  const total = new Float64Array(experts);
  let own = 0;
  let worst = -Infinity;
  for (const [t, gains] of sequence.gains.entries()) {
    const weights = combiner.predictOne();
    for (let k = 0; k < experts; k++) {
      own += weights[k]! * gains[k]!;
      total[k]! += gains[k]!;
    }
    combiner.learnOne(gains);
    if ((t + 1) % block !== 0) continue;
    worst = Math.max(worst, Math.max(...total) - own);
    own = 0;
    total.fill(0);
  }
  return worst;
}

/** Worst blocks of a contender, one for each sequence. */
export function worstBlocks(
  contender: Contender,
  sequences: readonly Sequence[],
  block: number,
  seed: number,
): number[] {
  return sequences.map((sequence, i) => {
    const rng = new Rng(seed).fork('block-regret').fork(contender.name).fork(i);
    const [experts, steps] = [sequence.gains[0]!.length, sequence.gains.length];
    return worstBlock(sequence, contender.create({ experts, steps, block, rng }), block);
  });
}

function restarted(block: number, create: () => Weighing): Weighing {
  let inner = create();
  let step = 0;
  return {
    predictOne: () => inner.predictOne(),
    learnOne(gains) {
      inner.learnOne(gains);
      if (++step % block === 0) inner = create();
    },
  };
}
