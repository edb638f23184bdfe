// Grows a circuit from streams of symbols and measures what its nodes save: in all, beyond what symbol frequencies alone
// give (the same symbols in random order), and on streams that took no part.
import { Circuit, type CircuitNode } from '../../grow/index.ts';
import { Rng } from '../../tensor/index.ts';
import type { CircuitGrowth, PatternNode } from './types.ts';

export interface CircuitTask {
  readonly streams: readonly (readonly string[])[];
  readonly heldOut: readonly (readonly string[])[];
  readonly seed: string;
}

export type CircuitFigures = Pick<
  CircuitGrowth,
  'streams' | 'symbols' | 'bitsBefore' | 'bitsAfter' | 'savedShuffled' | 'heldOut' | 'nodes' | 'nodeCount'
>;

/** Nodes that are told; the others are counted. */
const TOLD = 24;
/** Symbols of a pattern that are written out. */
const WRITTEN = 48;

export function run(task: CircuitTask): CircuitFigures {
  const circuit = fed(task.streams);
  const bitsBefore = circuit.codeLength().bits;
  circuit.grow();
  const bitsAfter = circuit.codeLength().bits;
  const shuffled = fed(shuffle(task.streams, new Rng(task.seed).fork('growth/shuffle')));
  const plain = shuffled.codeLength().bits;
  shuffled.grow();
  const names = circuit.primitives().length + circuit.nodes().length;
  const told = circuit
    .nodes()
    .map((node) => toPattern(circuit, node, names))
    .sort((a, b) => b.saved - a.saved || (a.pattern.join(' ') < b.pattern.join(' ') ? -1 : 1));
  return {
    streams: task.streams.length,
    symbols: task.streams.reduce((sum, s) => sum + s.length, 0),
    bitsBefore,
    bitsAfter,
    savedShuffled: plain - shuffled.codeLength().bits,
    heldOut: onOthers(circuit, task.heldOut, names),
    nodes: told.slice(0, TOLD),
    nodeCount: told.length,
  };
}

function fed(streams: readonly (readonly string[])[]): Circuit {
  const circuit = new Circuit({ lookAhead: false });
  for (const stream of streams) circuit.feed(stream);
  return circuit;
}

/** All symbols in random order, cut into streams of the same lengths. */
function shuffle(streams: readonly (readonly string[])[], rng: Rng): string[][] {
  const all = streams.flat();
  const order = rng.permutation(all.length);
  let at = 0;
  return streams.map((s) => s.map(() => all[order[at++]!]!));
}

/** Names in the streams of others, at the price of a name with and without the nodes; each stream ends with a mark. */
function onOthers(circuit: Circuit, streams: readonly (readonly string[])[], names: number): CircuitGrowth['heldOut'] {
  const primitives = circuit.primitives().length;
  let [before, after] = [0, 0];
  for (const stream of streams) {
    before += (stream.length + 1) * Math.log2(primitives + 1);
    after += (circuit.tokens(circuit.feed(stream)).length + 1) * Math.log2(names + 1);
  }
  return { streams: streams.length, bitsBefore: before, bitsAfter: after };
}

function toPattern(circuit: Circuit, node: CircuitNode, names: number): PatternNode {
  const { term, uses } = node;
  const name = Math.log2(names + 1);
  const holes = term.kind === 'lam' ? term.arity : 0;
  const expansion = expandWithHoles(circuit, node, holes);
  // Spelled out each time it would cost its direct parts; named, one name, and once its definition.
  const parts =
    term.kind === 'seq'
      ? term.parts.length
      : term.kind === 'rep'
        ? term.count
        : term.kind === 'lam'
          ? term.body.length
          : 2;
  const definition = 2 + (term.kind === 'rep' ? 1 : parts) * name;
  return {
    pattern: expansion.slice(0, WRITTEN),
    uses,
    length: node.length,
    saved: uses * (parts - 1 - holes) * name - definition,
  };
}

/** A function is written with `_` in its holes. */
function expandWithHoles(circuit: Circuit, node: CircuitNode, holes: number): string[] {
  if (holes === 0) return circuit.expand(node.id).map(String);
  const { term } = node;
  if (term.kind !== 'lam') return [];
  return term.body.flatMap((part) => (part < 0 ? ['_'] : circuit.expand(part).map(String)));
}
