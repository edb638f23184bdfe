// Cost against error for every price of error: on one's own traffic (an estimate by the router's numbers, with 90 % bands), and
// on the labelled prompts that the router was fitted with.
import type { JSX } from 'preact';
import { percent, usd } from '../format.ts';
import type { FittedCurve, OwnCurve } from './data.ts';

const W = 560;
const H = 260;
const M = { left: 54, right: 16, top: 12, bottom: 40 };

interface Dot {
  readonly label: string;
  readonly cost: number;
  readonly error: number;
}

interface Drawn {
  readonly line: readonly {
    readonly cost: number;
    readonly error: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly dots: readonly Dot[];
  readonly here: Dot;
}

export function Curve({
  own,
  fitted,
}: {
  readonly own: OwnCurve | null;
  readonly fitted: FittedCurve | null;
}): JSX.Element {
  return (
    <section class="card" aria-label="Cost and error">
      <h2>What another price of error would cost</h2>
      {own?.ready === true ? (
        <>
          <p class="quiet">
            Your last {own.decisions} routed requests, by the router’s own estimates; the band holds 90 % of resamples.
          </p>
          <Plot drawn={ofOwn(own)} />
        </>
      ) : (
        <p class="quiet">{own === null ? 'Loading …' : `Your own traffic: ${own.reason}`}</p>
      )}
      {fitted?.fitted === true && (
        <>
          <p class="quiet">
            The {fitted.prompts} labelled prompts of the router, each judged as if it had not been labelled.
          </p>
          <Plot drawn={ofFitted(fitted)} />
        </>
      )}
    </section>
  );
}

function ofOwn(own: Extract<OwnCurve, { ready: true }>): Drawn {
  return {
    line: own.points.map((p) => ({ cost: p.cost, error: p.error, low: p.errorBand[0], high: p.errorBand[1] })),
    dots: own.single.map((s) => ({ label: s.model, cost: s.cost, error: s.error })),
    here: { label: 'as it was', ...own.actual },
  };
}

function ofFitted(fitted: Extract<FittedCurve, { fitted: true }>): Drawn {
  return {
    line: fitted.points.map((p) => ({
      cost: p.cost,
      error: p.error,
      low: p.errorInterval[0],
      high: p.errorInterval[1],
    })),
    dots: [{ label: `${fitted.best.id} alone`, cost: fitted.best.cost, error: fitted.best.error }],
    here: { label: 'default', cost: fitted.point.cost, error: fitted.point.error },
  };
}

function Plot({ drawn }: { readonly drawn: Drawn }): JSX.Element {
  const line = drawn.line.toSorted((a, b) => a.cost - b.cost);
  const all = [...line, ...drawn.dots, drawn.here];
  const most = Math.max(...all.map((p) => p.cost)) || 1;
  const worst = Math.min(1, Math.max(...line.map((p) => p.high), ...drawn.dots.map((d) => d.error)) * 1.05) || 1;
  const x = (cost: number): number => M.left + (cost / most) * (W - M.left - M.right);
  const y = (error: number): number => M.top + (1 - error / worst) * (H - M.top - M.bottom);
  const path = (points: readonly (readonly [number, number])[]): string =>
    points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(' ');
  const band = [
    ...line.map((p) => [x(p.cost), y(p.high)] as const),
    ...line.toReversed().map((p) => [x(p.cost), y(p.low)] as const),
  ];
  const marks = [...drawn.dots, drawn.here];
  const labels = placeLabels(marks.map((dot) => ({ label: dot.label, x: x(dot.cost), y: y(dot.error) })));
  return (
    <svg class="curve" viewBox={`0 0 ${W} ${H}`} role="img" aria-label={describe(drawn)}>
      {[0, 0.5, 1].map((t) => (
        <g key={t}>
          <line class="grid" x1={M.left} x2={W - M.right} y1={y(t * worst)} y2={y(t * worst)} />
          <text class="tick" x={M.left - 6} y={y(t * worst) + 4} text-anchor="end">
            {percent(t * worst)}
          </text>
          <text
            class="tick"
            x={x(t * most)}
            y={H - M.bottom + 16}
            text-anchor={t === 0 ? 'start' : t === 1 ? 'end' : 'middle'}
          >
            {usd(t * most)}
          </text>
        </g>
      ))}
      <polygon class="band" points={path(band)} />
      <polyline class="line" points={path(line.map((p) => [x(p.cost), y(p.error)] as const))} />
      {marks.map((dot, i) => (
        <g key={dot.label} class={i === marks.length - 1 ? 'mark is-here' : 'mark'}>
          <circle cx={x(dot.cost)} cy={y(dot.error)} r={i === marks.length - 1 ? 5 : 3.5} />
          <text x={labels[i]!.x} y={labels[i]!.y} text-anchor={labels[i]!.end ? 'end' : 'start'}>
            {dot.label}
          </text>
        </g>
      ))}
      <text class="tick" x={(M.left + W - M.right) / 2} y={H - 6} text-anchor="middle">
        cost a request
      </text>
    </svg>
  );
}

/** Height of a label, and about the width of a letter. */
const LABEL = { height: 13, letter: 6.4 };

/** Beside its dot and not over another label where there is room: the last one is placed first, below or above the others move away. */
function placeLabels(
  dots: readonly { readonly label: string; readonly x: number; readonly y: number }[],
): { x: number; y: number; end: boolean }[] {
  const taken: { left: number; right: number; y: number }[] = [];
  const places = dots.toReversed().map(({ label, x, y }) => {
    const end = x > W * 0.7;
    const at = x + (end ? -8 : 8);
    const width = label.length * LABEL.letter;
    const [left, right] = end ? [at - width, at] : [at, at + width];
    const free = (height: number): boolean =>
      height > M.top &&
      height < H - M.bottom &&
      taken.every((t) => t.left > right || t.right < left || Math.abs(t.y - height) >= LABEL.height);
    const steps = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? -7 - 6.5 * i : 11 + 6.5 * i));
    const height = y + (steps.find((step) => free(y + step)) ?? -7);
    taken.push({ left, right, y: height });
    return { x: at, y: height, end };
  });
  return places.toReversed();
}

function describe({ here, dots }: Drawn): string {
  const one = (d: Dot): string => `${d.label}: ${percent(d.error)} wrong at ${usd(d.cost)}`;
  return `Error against cost. ${[here, ...dots].map(one).join('; ')}.`;
}
