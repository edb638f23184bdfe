// What every experiment returns, and how it draws a line plot. Experiments import Cairn as a user would.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A cell of a table. */
export type Cell = string | number | boolean | null;

/** One statement of a paper, put to the test. */
export interface Claim {
  readonly id: string;
  /** One sentence a reader can check. */
  readonly says: string;
  readonly kind: 'identity' | 'measured' | 'bound';
  readonly value: number | string | boolean | null;
  readonly baseline?: number | string | null;
  /** The condition under which it holds, in words and numbers. */
  readonly target: string;
  readonly holds: boolean;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** The result of one experiment. */
export interface LabReport {
  readonly slug: string;
  readonly paper: { readonly title: string; readonly arxiv: string };
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  readonly seconds: number;
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
  readonly plots: readonly string[];
}

/** What an experiment is given. */
export interface LabOptions {
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  /** Folder of optional data sets. */
  readonly data?: string;
  /** Folder for plots. */
  readonly out?: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A curve of a plot; with `bars` each point has a vertical bar of ± that size. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly bars?: readonly number[];
  readonly dashed?: boolean;
}

/** Writes an SVG line plot into `out`; returns its path, or nothing when there is no folder to write to. */
export function writeLinePlot(
  out: string | undefined,
  name: string,
  plot: { title: string; x: string; y: string; curves: readonly Curve[] },
): string[] {
  if (out === undefined) return [];
  mkdirSync(out, { recursive: true });
  const path = join(out, `${name}.svg`);
  writeFileSync(path, linePlot(plot));
  return [path];
}

const COLOURS = ['#1f6f8b', '#c8553d', '#588157', '#7b5ea7'];

/** An SVG line plot, 640 x 400. */
export function linePlot(plot: { title: string; x: string; y: string; curves: readonly Curve[] }): string {
  const all = plot.curves.flatMap((c) => c.points);
  const xs = all.map((p) => p[0]);
  const ys = all.map((p) => p[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(0, ...ys), Math.max(...ys) * 1.05 || 1];
  const px = (x: number): number => 60 + ((x - x0) / (x1 - x0 || 1)) * 550;
  const py = (y: number): number => 350 - ((y - y0) / (y1 - y0 || 1)) * 300;
  const fixed = (v: number): string => v.toFixed(1);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((t) => {
    const x = x0 + t * (x1 - x0);
    const y = y0 + t * (y1 - y0);
    return (
      `<text x="${fixed(px(x))}" y="368" text-anchor="middle">${Number(x.toPrecision(3))}</text>` +
      `<text x="54" y="${fixed(py(y) + 4)}" text-anchor="end">${Number(y.toPrecision(3))}</text>` +
      `<line x1="60" x2="610" y1="${fixed(py(y))}" y2="${fixed(py(y))}" stroke="#ddd"/>`
    );
  });
  const curves = plot.curves.map((c, k) => {
    const colour = COLOURS[k % COLOURS.length]!;
    const points = c.points.map(([x, y]) => `${fixed(px(x))},${fixed(py(y))}`).join(' ');
    const bars = (c.bars ?? []).map((bar, i) => {
      const [x, y] = c.points[i]!;
      return `<line x1="${fixed(px(x))}" x2="${fixed(px(x))}" y1="${fixed(py(y - bar))}" y2="${fixed(py(y + bar))}" stroke="${colour}"/>`;
    });
    const dash = c.dashed === true ? ' stroke-dasharray="6 4"' : '';
    const label = `<text x="70" y="${60 + 18 * k}" fill="${colour}">${escapeXml(c.name)}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>${bars.join('')}${label}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400" font-family="sans-serif" font-size="12">` +
    `<rect width="640" height="400" fill="white"/>` +
    `<text x="320" y="24" text-anchor="middle" font-size="15">${escapeXml(plot.title)}</text>` +
    ticks.join('') +
    `<text x="335" y="390" text-anchor="middle">${escapeXml(plot.x)}</text>` +
    `<text x="16" y="200" text-anchor="middle" transform="rotate(-90 16 200)">${escapeXml(plot.y)}</text>` +
    `${curves.join('')}</svg>\n`
  );
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
