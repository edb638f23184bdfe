// Figures as SVG through Observable Plot, without a browser. Not for the terminal: see figure-text.ts.
import type * as Plot from '@observablehq/plot';
import type { Axis, Curve, Figure } from './report.ts';

const WIDTH = 720;
const HEIGHT = 440;
const NOTE_HEIGHT = 20;
const COLOURS = ['#1f6f8b', '#c8553d', '#588157', '#7b5ea7', '#b8860b', '#4a4e69', '#d81b60', '#00897b'];

/** Draws a figure. Loads the plotting library on first use. */
export async function figureToSvg(figure: Figure): Promise<string> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const room = figure.note === undefined ? 0 : NOTE_HEIGHT;
  const drawn = plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT + room,
    marginLeft: 72,
    marginTop: 64,
    marginBottom: 60 + room,
    marginRight: 24,
    style: { background: 'white', color: '#222', fontFamily: 'sans-serif', fontSize: '12px' },
    grid: true,
    y: { label: figure.y.label, labelAnchor: 'center', ...scaleOf(figure.y), nice: true },
    color: { domain: namesOf(figure), range: namesOf(figure).map((_, i) => COLOURS[i % COLOURS.length]!) },
    ...('curves' in figure ? curveParts(plot, figure) : columnParts(plot, figure)),
  });
  const svg = drawn.outerHTML.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ');
  return `${svg.replace('</svg>', `${heading(figure)}</svg>`)}\n`;
}

/** Plain numbers on the ticks: a log axis would write 200m for 0.2. */
function scaleOf(axis: Axis): Plot.ScaleOptions {
  return axis.scale === 'log' ? { type: 'log', tickFormat: '~g' } : { type: 'linear' };
}

function namesOf(figure: Figure): string[] {
  return ('curves' in figure ? figure.curves : figure.columns.series).map((s) => s.name);
}

function curveParts(plot: typeof Plot, figure: Figure & { curves: readonly Curve[] }): Plot.PlotOptions {
  const x = 'x' in figure ? figure.x : { label: '' };
  const marks: Plot.Markish[] = figure.curves.flatMap((curve) => {
    const data = curve.points.map(([px, py], i) => ({ x: px, y: py, bar: curve.bars?.[i] ?? 0, name: curve.name }));
    const shape =
      curve.kind === 'dots'
        ? plot.dot(data, { x: 'x', y: 'y', r: 2.5, fill: 'name' })
        : plot.line(data, {
            x: 'x',
            y: 'y',
            stroke: 'name',
            strokeWidth: 2,
            ...(curve.dashed === true ? { strokeDasharray: '6 4' } : {}),
          });
    if (curve.bars === undefined) return [shape];
    const low = (d: { y: number; bar: number }): number => d.y - d.bar;
    const high = (d: { y: number; bar: number }): number => d.y + d.bar;
    const shown = figure.y.scale === 'log' ? data.filter((d) => low(d) > 0) : data;
    return [plot.ruleX(shown, { x: 'x', y1: low, y2: high, stroke: 'name' }), shape];
  });
  return { x: { label: x.label, labelAnchor: 'center', labelOffset: 38, ...scaleOf(x) }, marks };
}

function columnParts(
  plot: typeof Plot,
  figure: Figure & {
    columns: { labels: readonly string[]; series: readonly { name: string; values: readonly number[] }[] };
  },
): Plot.PlotOptions {
  const { labels, series } = figure.columns;
  const data = series.flatMap((s) =>
    labels.map((label, i) => ({ label, name: s.name, value: s.values[i] ?? Number.NaN })),
  );
  // On a log axis columns have no zero to stand on: values become dots.
  const mark =
    figure.y.scale === 'log'
      ? plot.dot(data, { fx: 'label', x: 'name', y: 'value', fill: 'name', r: 5 })
      : plot.barY(data, { fx: 'label', x: 'name', y: 'value', fill: 'name' });
  const base = figure.y.scale === 'log' ? [] : [plot.ruleY([0])];
  return {
    x: { axis: null, domain: series.map((s) => s.name) },
    fx: { label: null, domain: [...labels] },
    marks: [mark, ...base],
  };
}

/** Title, names of the series in their colours, and the note. */
function heading(figure: Figure): string {
  const names = namesOf(figure);
  let at = 64;
  const legend = names.map((name, i) => {
    const text = `<text x="${at}" y="42" text-anchor="start" fill="${COLOURS[i % COLOURS.length]}" font-size="12">■ ${escapeXml(name)}</text>`;
    at += 28 + name.length * 6.6;
    return text;
  });
  const title = `<text x="64" y="20" text-anchor="start" font-size="15" font-weight="bold">${escapeXml(figure.title)}</text>`;
  const note =
    figure.note === undefined
      ? ''
      : `<text x="64" y="${HEIGHT + NOTE_HEIGHT - 8}" text-anchor="start" font-size="11" fill="#555">${escapeXml(figure.note)}</text>`;
  return title + legend.join('') + note;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
