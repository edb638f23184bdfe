// `cairn bench online`: predictions a second of the two-expert bettor, and regret in the worst block beside Hedge, fixed
// share, AdaNormalHedge and CBCE, on generated sequences and on the real series of `--data` where there are any.
import { DiscountedBettor } from 'cairn/online';
import { Rng } from 'cairn/tensor';
import type { BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median, spreadOf } from '../rounds.ts';
import { ours, peers, relatives, worstBlocks } from './block-regret.ts';
import { FixedShare, Hedge, type Weighing } from './peers.ts';
import { fractal, readSeries, type Sequence, switching } from './sequences.ts';

export interface OnlineBenchOptions {
  readonly quick?: boolean;
  readonly seed?: number;
  /** Folder of optional data; `series/` there holds real series. */
  readonly data?: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const BLOCKS = [48, 336] as const;

/** Measures everything; about a minute. */
export async function run(options: OnlineBenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, log, signal } = options;
  const data = options.data ?? process.env['CAIRN_BENCH_DATA'];
  const loaded = isLoaded();
  const rows: BenchRow[] = await speed(quick, seed, log, signal);
  const sets = new Map<string, readonly Sequence[]>([['generated', generated(quick, seed)]]);
  const series = data === undefined ? [] : readSeries(data);
  if (series.length > 0) sets.set('real series', quick ? series.slice(0, 3) : series);
  else log('real series: skipped, no series found (give --data DIR or CAIRN_BENCH_DATA)');
  for (const [name, sequences] of sets) {
    for (const block of BLOCKS) {
      const own = worstBlocks(ours, sequences, block, seed);
      log(`${name}, blocks of ${block}: ${ours.name} ${Math.max(...own).toFixed(1)}`);
      for (const contender of [...peers, ...relatives]) {
        signal.throwIfAborted();
        const other = worstBlocks(contender, sequences, block, seed);
        rows.push(regretRow(`${name}, worst block of ${block}`, own, contender.name, other));
        log(`${name}, blocks of ${block}: ${contender.name} ${Math.max(...other).toFixed(1)}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
  const protocol = {
    seed,
    loaded,
    sequences: [...sets].map(([name, s]) => `${name}: ${s.length}`).join(', '),
    regret: 'gain of the best expert of the block minus one’s own, gains in [-1,1]; the worst of all whole blocks',
    told: 'ours and the peers that can use it: the length of the block; Hedge: that of the sequence',
    generated: 'best expert changes at fixed or random times, 2 to 8 experts; fractal bits',
    series: 'sign of the next change; experts: up, down, last sign, the sign 288 steps (S&P 500: 12 months) ago',
  };
  return { name: 'online', protocol, rows };
}

/** The sequences that need no data. */
export function generated(quick: boolean, seed: number): Sequence[] {
  const steps = quick ? 2048 : 16_384;
  return Array.from({ length: quick ? 1 : 3 }, (_, copy) => {
    const rng = new Rng(seed).fork('generated').fork(copy);
    return [
      switching(rng.fork(0), steps, 2, 64, 0.1),
      switching(rng.fork(1), steps, 2, 256, 0.2),
      switching(rng.fork(2), steps, 2, -128, 0.1),
      switching(rng.fork(3), steps, 4, 128, 0.1),
      switching(rng.fork(4), steps, 4, -256, 0.2),
      switching(rng.fork(5), steps, 8, 256, 0.2),
      fractal(rng.fork(6), Math.log2(steps), 0.3),
    ];
  }).flat();
}

function regretRow(name: string, own: readonly number[], peerName: string, peer: readonly number[]): BenchRow {
  const [mine, theirs] = [Math.max(...own), Math.max(...peer)];
  const better = own.filter((v, i) => v < peer[i]!).length;
  return {
    case: name,
    ours: mine,
    peer: theirs,
    peerName,
    ratio: theirs / mine,
    unit: 'regret',
    note: `ours lower in ${better} of ${own.length} sequences`,
  };
}

/** Nanoseconds for one prediction and one lesson, in interleaved rounds. */
async function speed(
  quick: boolean,
  seed: number,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<BenchRow[]> {
  const rng = new Rng(seed).fork('speed');
  const bits = Float64Array.from({ length: 4096 }, () => rng.rademacher());
  const pairs = Array.from(bits, (b) => Float64Array.of(b, -b));
  const bettor = (rule: 'difference' | 'erfi'): (() => number) => {
    const one = new DiscountedBettor({ memory: 400, rule });
    return () => {
      let sum = 0;
      for (let t = 0; t < 4096; t++) {
        sum += one.predictOne();
        one.learnOne(bits[t]!);
      }
      return sum;
    };
  };
  const weighing = (one: Weighing) => (): number => {
    let sum = 0;
    for (let t = 0; t < 4096; t++) {
      sum += one.predictOne()[0]!;
      one.learnOne(pairs[t]!);
    }
    return sum;
  };
  const tasks = [
    { name: 'two-expert bettor', work: bettor('difference') },
    { name: 'two-expert bettor, erfi rule', work: bettor('erfi') },
    { name: 'Hedge of two', work: weighing(new Hedge(2, 0.05)) },
    { name: 'fixed share of two', work: weighing(new FixedShare(2, 0.3, 1 / 64)) },
  ];
  const times: number[][] = tasks.map(() => []);
  const seconds = quick ? 0.02 : 0.4;
  for (let round = 0; round < (quick ? 3 : 8); round++) {
    signal.throwIfAborted();
    for (const [i, task] of tasks.entries()) {
      const start = performance.now();
      let spent = 0;
      let steps = 0;
      let check = 0;
      while (spent < 1000 * seconds) {
        check += task.work();
        steps += 4096;
        spent = performance.now() - start;
      }
      if (round > 0 && Number.isFinite(check)) times[i]!.push((1e6 * spent) / steps); // the first round warms up
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const own = times[0]!;
  log(`two-expert bettor: ${(1000 / median(own)!).toFixed(1)} million predictions a second`);
  return tasks.slice(1).map((task, i) => {
    const spread = spreadOf(times[i + 1]!.map((time, round) => time / own[round]!));
    return {
      case: tasks[0]!.name,
      ours: median(own),
      peer: median(times[i + 1]!),
      peerName: task.name,
      ratio: spread?.median ?? null,
      unit: 'ns per prediction and lesson',
      ...(spread === undefined ? {} : { spread }),
      note: `${(1000 / median(own)!).toFixed(1)} million a second`,
    };
  });
}
