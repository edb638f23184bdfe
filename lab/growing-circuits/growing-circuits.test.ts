import { Rng } from 'cairn/tensor';
import { describe, expect, it } from 'vitest';
import { beside } from './beside.ts';
import { extremes, functions, watched } from './growth.ts';
import { command, sentences } from './streams.ts';

describe('growing-circuits in small', () => {
  const rng = new Rng(11);
  const drawn: string[] = [];
  const plot = (name: string): void => void drawn.push(name);

  it('holds its claims about extremes, growth and functions', () => {
    const parts = [extremes(rng.fork('a'), 1, plot), watched(rng.fork('b'), 400, 6000, plot), functions(rng.fork('c'))];
    expect(parts.flatMap((p) => p.claims).filter((c) => !c.holds)).toEqual([]);
    expect(drawn).toEqual(['periodic', 'doublings']);
  });

  it('compares with compressors and says what is missing', () => {
    const commands = Array.from({ length: 300 }, () => command(rng));
    const text = sentences(rng, 3000);
    const { claims, tables } = beside(
      [
        { name: 'commands', text: commands.map((c) => c.join(' ')).join('\n'), streams: commands },
        { name: 'sentences', text, streams: [text.split('')] },
      ],
      ['a file'],
    );
    expect(claims.every((c) => c.holds)).toBe(true);
    expect(tables[0]!.title).toContain('a file is not in the data folder');
    for (const row of tables[0]!.rows) expect(row[4]!).toBeLessThan(row[3] as number);
  });
});
