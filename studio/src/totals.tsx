// Running totals, and what routing saves: a small curve of each board's cost against the largest reader alone.
import { Fragment, type JSX } from 'preact';
import type { BoardView, TotalsView } from '../../src/mind/boards/view.ts';
import { bytes, count, percent } from './format.ts';
import { readerOf, readers } from './readers.tsx';

export function Totals({
  totals,
  boards,
}: {
  readonly totals: TotalsView | null;
  readonly boards: readonly BoardView[];
}): JSX.Element {
  const t = totals;
  return (
    <section class="totals card" aria-label="Totals">
      <dl class="stats">
        <Stat name="boards" value={t ? count(t.boards) : '–'} />
        <Stat
          name="proved"
          value={t ? count(t.proved) : '–'}
          note={t && t.boards > 0 ? percent(t.proved / t.boards) : ''}
        />
        <Stat
          name="withheld"
          value={t ? count(t.withheld) : '–'}
          note={t && t.repaired > 0 ? `${count(t.repaired)} cells repaired` : ''}
        />
        <Stat
          name="memory"
          value={t ? bytes(t.sketchBytes) : '–'}
          note={t && t.events > 0 ? `${bytes(t.bytesPerEvent)} a board` : ''}
        />
      </dl>
      <div class="cost">
        <p class="cost-head">
          <span>cost against always the large reader</span>
          <b>{t && t.boards > 0 ? percent(t.costRatio) : '–'}</b>
        </p>
        <CostCurve boards={boards} saved={t && t.boards > 0 ? 1 - t.costRatio : null} />
      </div>
      <Shares totals={t} />
    </section>
  );
}

function Stat({
  name,
  value,
  note = '',
}: {
  readonly name: string;
  readonly value: string;
  readonly note?: string | null;
}): JSX.Element {
  return (
    <div class="stat">
      <dt>{name}</dt>
      <dd>
        <b>{value}</b>
        <small>{note || '\u00a0'}</small>
      </dd>
    </div>
  );
}

const WIDE = 320;
const HIGH = 72;

/** Cost of each of the latest boards (dots) and their running mean (line), on a scale from nothing to the large reader alone. */
function CostCurve({
  boards,
  saved,
}: {
  readonly boards: readonly BoardView[];
  readonly saved: number | null;
}): JSX.Element {
  const shares = boards
    .slice(0, 80)
    .map((b) => (b.cost.alwaysLargeFlop > 0 ? b.cost.flop / b.cost.alwaysLargeFlop : 0))
    .reverse();
  const step = WIDE / Math.max(1, shares.length - 1);
  const y = (share: number): number => HIGH * (1 - Math.min(1, share));
  let mean = 0;
  const means = shares.map((s, i) => (mean += (s - mean) / Math.min(i + 1, 12)));
  const line = means.map((m, i) => `${i === 0 ? 'M' : 'L'}${(i * step).toFixed(1)} ${y(m).toFixed(1)}`).join('');
  const last = shares.at(-1);
  return (
    <div
      class="curve"
      role="img"
      aria-label={
        last === undefined
          ? 'no boards yet'
          : `the last board cost ${percent(last)} of what the large reader alone would have cost`
      }
    >
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" aria-hidden="true">
        <rect class="curve-saved" width={WIDE} height={HIGH} />
        {shares.length > 1 && <path class="curve-area" d={`${line}L${WIDE} ${HIGH}L0 ${HIGH}Z`} />}
        {shares.length > 1 && <path class="curve-line" d={line} />}
        <path
          class="curve-dots"
          d={shares.map((s, i) => `M${(i * step).toFixed(1)} ${y(s).toFixed(1)}h.01`).join('')}
        />
      </svg>
      <span class="curve-top">always the large reader: 100 %</span>
      {saved !== null && <span class="curve-word">{percent(saved)} saved</span>}
    </div>
  );
}

/** Who read the cells since the memory began: one bar, and its shares in words. */
function Shares({ totals }: { readonly totals: TotalsView | null }): JSX.Element {
  const counts = Object.entries(totals?.readers ?? {});
  const of = (id: string): number => counts.reduce((sum, [name, n]) => sum + (readerOf(name).id === id ? n : 0), 0);
  const here = readers.filter((r) => r.id !== 'grown' || of(r.id) > 0);
  const all = readers.reduce((sum, r) => sum + of(r.id), 0);
  return (
    <div class="shares">
      <div class="shares-bar" aria-hidden="true">
        {here.map((r) => (
          <span key={r.id} class={`fill-${r.id}`} style={{ flexGrow: of(r.id) }} />
        ))}
      </div>
      <p class="quiet">
        cells read by{' '}
        {here.map((r, i) => (
          <Fragment key={r.id}>
            {i > 0 && ' · '}
            <span class="share">
              {r.name} {all > 0 ? percent(of(r.id) / all) : '–'}
            </span>
          </Fragment>
        ))}
      </p>
    </div>
  );
}
