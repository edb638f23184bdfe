// What the router promised beside what came, over time: errors beyond those expected, and the band in which a calibrated router stays.
import type { JSX } from 'preact';
import { percent } from '../format.ts';
import type { OutcomesOverTime } from './data.ts';

const W = 560;
const H = 180;
const M = { left: 54, right: 16, top: 12, bottom: 34 };

export function OverTime({ over }: { readonly over: OutcomesOverTime }): JSX.Element | null {
  const { stretches, drifted } = over;
  const last = stretches.at(-1);
  if (last === undefined) return null;
  const most = Math.max(1, ...stretches.flatMap((s) => [Math.abs(s.excess), s.band])) * 1.1;
  const x = (i: number): number => M.left + (i / stretches.length) * (W - M.left - M.right);
  const y = (excess: number): number => M.top + (0.5 - excess / (2 * most)) * (H - M.top - M.bottom);
  const at = (i: number, v: number): string => `${x(i).toFixed(1)},${y(v).toFixed(1)}`;
  const line = [at(0, 0), ...stretches.map((s, i) => at(i + 1, s.excess))].join(' ');
  const high = [at(0, 0), ...stretches.map((s, i) => at(i + 1, s.band))];
  const low = [at(0, 0), ...stretches.map((s, i) => at(i + 1, -s.band))];
  const says = `${last.excess >= 0 ? `${last.excess.toFixed(1)} more` : `${(-last.excess).toFixed(1)} fewer`} wrong answers than expected`;
  return (
    <>
      <h3>Promised and delivered</h3>
      <p class="quiet">
        Of {over.outcomes} answers with an outcome, in order: {says}. {latest(over)} Outcomes that nobody tells are not
        in it.
      </p>
      {drifted && (
        <p class="fault" role="alert">
          This is far outside the band of a calibrated router: a model or your prompts have changed. Profile the models
          again with <code>cairn route fit</code>.
        </p>
      )}
      {over.brier.alarm && !drifted && (
        <p class="fault" role="alert">
          The latest answers are wrong where others were expected to be: a Brier score of {over.brier.score.toFixed(3)}{' '}
          where {over.brier.expected.toFixed(3)} was expected.
        </p>
      )}
      {over.prompts?.alarm === true && (
        <p class="fault" role="alert">
          People ask for other things than the prompts that were labelled: {percent(over.prompts.variation)} of the
          latest {over.prompts.requests} are of other kinds.
        </p>
      )}
      <svg
        class="curve"
        viewBox={`0 0 ${W} ${H}`}
        role="img"
        aria-label={`Errors beyond the expected over time: ${says}.`}
      >
        {[-1, 0, 1].map((t) => (
          <g key={t}>
            <line class="grid" x1={M.left} x2={W - M.right} y1={y((t * most) / 1.1)} y2={y((t * most) / 1.1)} />
            <text class="tick" x={M.left - 6} y={y((t * most) / 1.1) + 4} text-anchor="end">
              {t === 0 ? '0' : `${t > 0 ? '+' : '−'}${(most / 1.1).toFixed(1)}`}
            </text>
          </g>
        ))}
        <polygon class="band" points={[...high, ...low.toReversed()].join(' ')} />
        <polyline class="line" points={line} />
        <text class="tick" x={M.left} y={H - 12} text-anchor="start">
          {day(stretches[0]!.from)}
        </text>
        <text class="tick" x={W - M.right} y={H - 12} text-anchor="end">
          {day(last.to)}
        </text>
      </svg>
    </>
  );
}

function latest({ stretches }: OutcomesOverTime): string {
  const { count, told, interval, expected } = stretches.at(-1)!;
  return `The last ${count}: ${percent(told)} wrong (${percent(interval[0])} to ${percent(interval[1])}), ${percent(expected)} expected.`;
}

function day(at: number): string {
  return new Date(at).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });
}
