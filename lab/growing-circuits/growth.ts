// Where circuits grow and where they do not: periodic, random and grammatical streams; exactness and the code length on the way.
import { Circuit } from 'cairn/grow';
import type { Rng } from 'cairn/tensor';
import type { Cell, LabOptions, Part } from '../report.ts';
import { command, periodic, random, sentences } from './streams.ts';

/** Nodes on periodic and on random streams. */
export function extremes(rng: Rng, rounds: number, plot: LabOptions['plot']): Part {
  const lengths = [256, 1024, 4096];
  const rows = [1, 2, 4, 7, 12].flatMap((period) =>
    lengths.map((length) => {
      const circuit = new Circuit();
      circuit.feed(periodic(period, length));
      circuit.grow();
      return { period, length, nodes: circuit.nodes().length, bits: circuit.codeLength().bits };
    }),
  );
  let grown = 0;
  for (let round = 0; round < rounds; round++) {
    for (const letters of [4, 16, 64]) {
      for (const length of [1024, 4096]) {
        const circuit = new Circuit();
        circuit.feed(random(rng.fork(`${round}:${letters}:${length}`), letters, length));
        circuit.grow();
        grown += circuit.nodes().length;
      }
    }
  }
  plot('periodic', {
    title: 'Bits of the whole code of a periodic stream',
    x: { label: 'symbols in the stream', scale: 'log' },
    y: { label: 'bits' },
    note: 'The code grows with the logarithm of the length: a repetition is one node with a count.',
    curves: [1, 4, 12].map((period) => ({
      name: `period ${period}`,
      points: rows.filter((r) => r.period === period).map((r) => [r.length, r.bits] as const),
    })),
  });
  return {
    claims: [
      {
        id: 'few-nodes-on-periodic',
        says: 'A periodic stream needs at most 2 log2 n + period nodes.',
        kind: 'bound',
        value: Math.max(...rows.map((r) => r.nodes)),
        baseline: 2 * Math.log2(256) + 1,
        target: 'in all cases',
        holds: rows.every((r) => r.nodes <= 2 * Math.log2(r.length) + r.period),
      },
      {
        id: 'no-nodes-on-random',
        says: 'Nothing grows on uniform random streams over 4, 16 and 64 symbols.',
        kind: 'measured',
        value: grown,
        target: `0 nodes in ${6 * rounds} streams of 1,024 and 4,096 symbols`,
        holds: grown === 0,
      },
    ],
    tables: [
      {
        title: 'Periodic streams',
        columns: ['period', 'symbols', 'nodes', 'bits'],
        rows: rows.map((r): Cell[] => [r.period, r.length, r.nodes, r.bits]),
      },
    ],
  };
}

/** Grows in doublings on commands and on text; watches the code length and the expansion. */
export function watched(rng: Rng, commands: number, characters: number, plot: LabOptions['plot']): Part {
  const all = Array.from({ length: commands }, () => command(rng));
  const text = [...sentences(rng, characters)];
  const streams = { commands: all, text: cut(text, 64) };
  let rose = 0;
  let wrong = 0;
  let steps = 0;
  const curves = Object.entries(streams).map(([name, given]) => {
    const circuit = new Circuit();
    const points: [number, number][] = [];
    let fed = 0;
    let symbols = 0;
    for (let until = 32; fed < given.length; until *= 2) {
      for (; fed < Math.min(until, given.length); fed++) {
        circuit.feed(given[fed]!);
        symbols += given[fed]!.length;
      }
      let before = circuit.codeLength().bits;
      for (const { bits } of circuit.grow()) {
        steps++;
        if (bits > before + 1e-6) rose++;
        before = bits;
      }
      points.push([symbols, circuit.codeLength().bits / symbols]);
    }
    given.forEach((s, i) => {
      const back = circuit.stream(i);
      if (back.length !== s.length || back.some((v, j) => v !== s[j])) wrong++;
    });
    return { name, points };
  });
  plot('doublings', {
    title: 'Bits per symbol while a circuit grows with its streams',
    x: { label: 'symbols fed', scale: 'log' },
    y: { label: 'bits per symbol, nodes included' },
    note: 'Words of commands and characters of made-up sentences; growth after every doubling.',
    curves,
  });
  // Commands are drawn evenly from their grammar and hold little more than it: only text is expected to get cheaper.
  const points = curves.find((c) => c.name === 'text')!.points;
  const fall = points[points.length - 1]![1] / points[0]![1];
  return {
    claims: [
      {
        id: 'exact-expansion',
        says: 'Every stream comes back symbol for symbol.',
        kind: 'identity',
        value: wrong,
        target: `0 of ${all.length + streams.text.length} streams differ`,
        holds: wrong === 0,
      },
      {
        id: 'code-never-rises',
        says: 'No step of growth makes the code longer.',
        kind: 'identity',
        value: rose,
        target: `0 of ${steps} steps`,
        holds: rose === 0 && steps > 0,
      },
      {
        id: 'more-input-fewer-bits',
        says: 'What was learnt from earlier sentences makes later ones cheaper.',
        kind: 'measured',
        value: fall,
        target: 'bits per character of the text at the end, nodes included, at most 0.8 of those of its first 2,048',
        baseline: 1,
        holds: fall <= 0.8,
      },
    ],
    tables: [],
  };
}

/** Functions with holes: what "turn left _ twice and bow" is to each of its instances. */
export function functions(rng: Rng): Part {
  const verbs = ['jump', 'walk', 'look', 'run', 'swim', 'sing', 'hop', 'rest'];
  const frames = [
    (v: string) => ['turn', 'left', v, 'twice', 'and', 'bow'],
    (v: string) => [v, 'around', 'the', 'house', 'and', v, 'again'],
  ];
  const streams = Array.from({ length: 600 }, () => frames[rng.integer(2)]!(verbs[rng.integer(verbs.length)]!));
  const [plain, full] = [false, true].map((on) => {
    const circuit = new Circuit({ functions: on });
    for (const s of streams) circuit.feed(s);
    circuit.grow();
    return circuit;
  });
  const word = full!.primitives().find((p) => p.value === 'walk')!.id;
  const found = full!
    .nodes()
    .filter((n) => n.term.kind === 'lam' && n.term.arity === 1)
    .map((n) => full!.expand(n.id, [word]).join(' '));
  const nodeBits = [plain!, full!].map((c) => c.codeLength().nodes);
  const wanted = frames.map((f) => f('walk').join(' '));
  const named = wanted.filter((w) => found.some((f) => w.includes(f) && f.includes('walk'))).length;
  return {
    claims: [
      {
        id: 'functions-with-holes',
        says: 'Sequences that differ in one word become one function with a hole, also where the word stands twice.',
        kind: 'measured',
        value: named,
        target: 'both frames named, and nodes cost at most 0.8 of those without functions',
        holds: named === 2 && nodeBits[1]! <= 0.8 * nodeBits[0]!,
      },
    ],
    tables: [
      {
        title: 'Functions found, with "walk" for the hole',
        columns: ['function', 'bits of nodes without functions', 'with'],
        rows: found.map((f): Cell[] => [f, nodeBits[0]!, nodeBits[1]!]),
      },
    ],
  };
}

function cut(symbols: readonly string[], size: number): string[][] {
  const out: string[][] = [];
  for (let i = 0; i < symbols.length; i += size) out.push(symbols.slice(i, i + size));
  return out;
}
