// Figures in both forms: names, axes and values are there, whatever the numbers are.
import { describe, expect, test } from 'vitest';
import { figureToSvg } from './figure-svg.ts';
import { figureToText } from './figure-text.ts';
import type { Figure } from './report.ts';

const curves: Figure = {
  title: 'Error & size',
  x: { label: 'size', scale: 'log' },
  y: { label: 'error', scale: 'log' },
  curves: [
    {
      name: 'measured',
      points: [
        [1, 1],
        [10, 0.1],
        [100, 0.01],
      ],
      bars: [0.1, 2, 0.001],
    },
    {
      name: 'predicted',
      points: [
        [1, 0.9],
        [100, 0.011],
      ],
      dashed: true,
    },
    { name: 'single', kind: 'dots', points: [[10, 0.5]] },
  ],
  note: 'Two seeds.',
};
const columns: Figure = {
  title: 'Accuracy',
  y: { label: 'share right' },
  columns: {
    labels: ['4 bits', '16 bits'],
    series: [
      { name: 'end to end', values: [1, 0.5] },
      { name: 'modular', values: [1, 1] },
    ],
  },
};

describe('figures', () => {
  test.each([curves, columns])('as SVG: well-formed, with every name ($title)', async (figure) => {
    const svg = await figureToSvg(figure);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
    expect(svg.trimEnd()).toMatch(/<\/svg>$/);
    expect(svg).not.toMatch(/NaN|undefined/);
    const names = ('curves' in figure ? figure.curves : figure.columns.series).map((s) => s.name);
    for (const name of names) expect(svg).toContain(name);
    expect(svg).toContain(figure.title.replace('&', '&amp;'));
    expect(svg).toContain(figure.y.label);
  });

  test('curves as text: first and last point lie in the corners', () => {
    const lines = figureToText(curves).split('\n');
    expect(lines[0]).toBe('Error & size');
    expect(lines[2]).toMatch(/^ {2,}1 \|o/);
    expect(lines.find((line) => line.includes('0.01 |'))).toMatch(/o$/);
    expect(lines.at(-1)).toBe('Two seeds.');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('columns as text: lengths follow the values', () => {
    const lines = figureToText(columns).split('\n');
    const length = (name: string): number =>
      /█*/.exec(
        lines
          .find((l) => l.startsWith(name))!
          .slice(name.length)
          .trim(),
      )![0].length;
    expect(length('16 bits end to end') * 2).toBeCloseTo(length('16 bits modular'), -1);
  });

  test('points that an axis cannot show are left out', async () => {
    const odd: Figure = {
      ...curves,
      curves: [
        {
          name: 'odd',
          points: [
            [0, 1],
            [1, Number.NaN],
          ],
        },
      ],
    } as Figure;
    expect(figureToText(odd)).toContain('(no points)');
    expect(await figureToSvg(odd)).not.toContain('NaN');
  });
});
