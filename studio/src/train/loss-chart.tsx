// Loss against steps for every run of this visit: a line of the training loss and points of the loss on text that is not learned.
import type { JSX } from 'preact';

export interface Run {
  readonly name: string;
  /** Step and running mean of the training loss, nats a character. */
  readonly losses: readonly (readonly [step: number, loss: number])[];
  readonly valid: readonly (readonly [step: number, loss: number])[];
  readonly tokensPerSecond: number;
}

const W = 560;
const H = 300;
const M = { left: 44, right: 16, top: 12, bottom: 36 };
/** Points that are drawn of a line. */
const MOST = 300;

export function LossChart({ runs }: { readonly runs: readonly Run[] }): JSX.Element {
  const all = runs.flatMap((run) => [...run.losses, ...run.valid]);
  const steps = Math.max(50, ...all.map(([step]) => step));
  const high = Math.max(1, ...all.map(([, loss]) => loss));
  const low = Math.min(high * 0.5, ...all.map(([, loss]) => loss)) * 0.95;
  const x = (step: number): number => M.left + (step / steps) * (W - M.left - M.right);
  const y = (loss: number): number => M.top + ((high - loss) / (high - low)) * (H - M.top - M.bottom);
  const line = (points: Run['losses']): string => {
    const every = Math.ceil(points.length / MOST);
    const kept = points.filter((_, i) => i % every === 0 || i === points.length - 1);
    return kept.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(' ');
  };
  return (
    <>
      <svg class="curve losses" viewBox={`0 0 ${W} ${H}`} role="img" aria-label={describe(runs)}>
        {[0, 0.5, 1].map((t) => {
          const loss = low + t * (high - low);
          return (
            <g key={t}>
              <line class="grid" x1={M.left} x2={W - M.right} y1={y(loss)} y2={y(loss)} />
              <text class="tick" x={M.left - 6} y={y(loss) + 4} text-anchor="end">
                {loss.toFixed(2)}
              </text>
              <text class="tick" x={x(t * steps)} y={H - M.bottom + 16} text-anchor={t === 1 ? 'end' : 'middle'}>
                {Math.round(t * steps)}
              </text>
            </g>
          );
        })}
        {runs.map((run, i) => (
          <g key={i} class={`run run-${i % 4}`}>
            <polyline class="line" points={line(run.losses)} />
            {run.valid.map(([step, loss]) => (
              <circle key={step} cx={x(step)} cy={y(loss)} r={3.2} />
            ))}
          </g>
        ))}
        <text class="tick" x={(M.left + W - M.right) / 2} y={H - 4} text-anchor="middle">
          steps; nats a character, points on the held-out tenth
        </text>
      </svg>
      {runs.length > 0 && (
        <ul class="runs">
          {runs.map((run, i) => (
            <li key={i} class={`run-${i % 4}`}>
              {run.name}
              <span class="quiet">
                {' '}
                {run.losses.at(-1)?.[0] ?? 0} steps
                {run.valid.length > 0 && `, ${run.valid.at(-1)![1].toFixed(3)} held out`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function describe(runs: readonly Run[]): string {
  const one = ({ name, valid }: Run): string => `${name}: ${valid.at(-1)?.[1].toFixed(3) ?? 'no'} nats held out`;
  return runs.length === 0 ? 'No run yet.' : `Loss against steps. ${runs.map(one).join('; ')}.`;
}
