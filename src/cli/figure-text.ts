// Figures as lines of text: curves on a grid of characters, columns as horizontal bars. For a terminal, so no colours are
// needed to tell series apart.
import type { Axis, Figure } from './report.ts';
import { formatCell } from './table.ts';

const WIDTH = 64;
const HEIGHT = 14;
const MARKS = ['o', 'x', '+', '*', '#', '@', '%', '~'];

/** Draws a figure in at most 80 columns. */
export function figureToText(figure: Figure): string {
  const body = 'curves' in figure ? curvesToText(figure) : columnsToText(figure);
  return [figure.title, ...body, ...(figure.note === undefined ? [] : [figure.note])].join('\n');
}

function curvesToText(figure: Extract<Figure, { curves: unknown }>): string[] {
  const usable = (axis: Axis, v: number): boolean => Number.isFinite(v) && (axis.scale !== 'log' || v > 0);
  const scaled = (axis: Axis, v: number): number => (axis.scale === 'log' ? Math.log10(v) : v);
  const curves = figure.curves.map((c) => c.points.filter(([x, y]) => usable(figure.x, x) && usable(figure.y, y)));
  const points = curves.flat();
  if (points.length === 0) return ['(no points)'];
  const xs = points.map(([x]) => scaled(figure.x, x));
  const ys = points.map(([, y]) => scaled(figure.y, y));
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const place = (v: number, low: number, high: number, size: number): number =>
    Math.round(((v - low) / (high - low || 1)) * (size - 1));
  const grid = Array.from({ length: HEIGHT }, () => Array.from({ length: WIDTH }, () => ' '));
  // The first curves are drawn last, so that they stay visible.
  curves
    .map((curve, k) => ({ curve, k }))
    .toReversed()
    .forEach(({ curve, k }) => {
      for (const [x, y] of curve) {
        const row = HEIGHT - 1 - place(scaled(figure.y, y), y0, y1, HEIGHT);
        grid[row]![place(scaled(figure.x, x), x0, x1, WIDTH)] = MARKS[k % MARKS.length]!;
      }
    });
  const value = (axis: Axis, v: number): string => formatCell(axis.scale === 'log' ? 10 ** v : v);
  const top = value(figure.y, y1);
  const bottom = value(figure.y, y0);
  const margin = Math.max(top.length, bottom.length);
  const left = value(figure.x, x0);
  return [
    `${figure.y.label}${figure.y.scale === 'log' ? ' (log)' : ''}`,
    ...grid.map(
      (row, i) => `${(i === 0 ? top : i === HEIGHT - 1 ? bottom : '').padStart(margin)} |${row.join('').trimEnd()}`,
    ),
    `${' '.repeat(margin)} +${'-'.repeat(WIDTH)}`,
    `${' '.repeat(margin + 2)}${left}${value(figure.x, x1).padStart(WIDTH - left.length)}`,
    `${' '.repeat(margin + 2)}${figure.x.label}${figure.x.scale === 'log' ? ' (log)' : ''}`,
    ...figure.curves.map((c, k) => `${' '.repeat(margin + 2)}${MARKS[k % MARKS.length]} ${c.name}`),
  ];
}

function columnsToText(figure: Extract<Figure, { columns: unknown }>): string[] {
  const { labels, series } = figure.columns;
  const values = series.flatMap((s) => s.values).filter(Number.isFinite);
  const most = Math.max(0, ...values.map(Math.abs)) || 1;
  const names = labels.flatMap((label) => series.map((s) => (series.length === 1 ? label : `${label} ${s.name}`)));
  const width = Math.max(...names.map((n) => n.length));
  const room = Math.max(10, 66 - width);
  return [
    figure.y.label,
    ...labels.flatMap((_, i) =>
      series.map((s, k) => {
        const v = s.values[i] ?? Number.NaN;
        const bar = Number.isFinite(v) ? '█'.repeat(Math.round((Math.abs(v) / most) * room)) : '';
        return `${names[i * series.length + k]!.padEnd(width)} ${bar} ${formatCell(v)}`;
      }),
    ),
  ];
}
