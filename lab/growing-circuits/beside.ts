// Code length of a circuit beside gzip and, where this Node has it, zstd, on the same characters. Ours is the length of the
// ideal code, spelling of the symbols included; nothing is promised about who is shorter.
import * as zlib from 'node:zlib';
import { Circuit } from 'cairn/grow';
import type { Cell, Part } from '../report.ts';

export interface Sample {
  readonly name: string;
  /** What a compressor is given. */
  readonly text: string;
  readonly streams: readonly (readonly string[])[];
}

export function beside(samples: readonly Sample[], missing: readonly string[]): Part {
  const zstd = (zlib as { zstdCompressSync?: (data: Uint8Array) => Uint8Array }).zstdCompressSync;
  const rows = samples.map(({ name, text, streams }) => {
    const bits = (['uniform', 'adaptive'] as const).map((code) => {
      const circuit = new Circuit({ code });
      for (const s of streams) circuit.feed(s);
      const before = circuit.codeLength().bits;
      circuit.grow();
      const spelling = circuit.primitives().reduce((s, p) => s + 8 * (`${p.value}`.length + 1), 0);
      return { before, after: circuit.codeLength().bits, spelling, nodes: circuit.nodes().length };
    });
    const per = (n: number): number => n / text.length;
    return {
      name,
      shorter: bits.every((b) => b.after < b.before),
      cells: [
        name,
        text.length,
        bits[0]!.nodes,
        per(bits[0]!.before + bits[0]!.spelling),
        per(bits[0]!.after + bits[0]!.spelling),
        per(bits[1]!.after + bits[1]!.spelling),
        per(8 * zlib.gzipSync(Buffer.from(text), { level: 9 }).length),
        zstd === undefined ? null : per(8 * zstd(Buffer.from(text)).length),
      ] as Cell[],
    };
  });
  const notes = [
    ...(zstd === undefined ? ['zstd is not in this Node, so it is left out'] : []),
    ...missing.map((m) => `${m} is not in the data folder, so it is left out`),
  ];
  return {
    claims: [
      {
        id: 'growth-compresses',
        says: 'Growing shortens the code of commands and of text, under both codes.',
        kind: 'measured',
        value: rows.filter((r) => r.shorter).length,
        target: `all ${rows.length} samples`,
        holds: rows.every((r) => r.shorter),
      },
    ],
    tables: [
      {
        title: `Bits per character${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`,
        columns: ['sample', 'characters', 'nodes', 'before', 'circuit', 'circuit, adaptive', 'gzip -9', 'zstd'],
        rows: rows.map((r) => r.cells),
      },
    ],
  };
}
