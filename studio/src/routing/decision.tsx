// Decisions as they happen, and one of them opened: who could have answered, at what expected error and cost, and what happened.
import type { JSX } from 'preact';
import { millis, percent, time, usd } from '../format.ts';
import type { ArmView, Decision } from './data.ts';
import { Thumbs } from './outcome.tsx';

const BY: Readonly<Record<string, string>> = {
  uniroute: 'the router chose',
  zero: 'nothing fitted: the reference',
  named: 'named by the client',
  pinned: 'pinned by the client',
  degraded: 'cheapest: the budget is nearly spent',
  cache: 'a kept answer',
};

export interface DecisionListProps {
  readonly list: readonly Decision[];
  readonly chosen: string | null;
  readonly onChoose: (id: string) => void;
}

export function DecisionList({ list, chosen, onChoose }: DecisionListProps): JSX.Element {
  return (
    <section class="card" aria-label="Decisions">
      <h2>Decisions</h2>
      {list.length === 0 ? (
        <p class="quiet">Nothing was asked yet. Point an OpenAI client at this server’s /v1 and ask cairn/auto.</p>
      ) : (
        <ul class="decisions">
          {list.map((d) => (
            <li key={d.id}>
              <button type="button" aria-pressed={d.id === chosen} onClick={() => onChoose(d.id)}>
                <span class="quiet">{time(d.at)}</span>
                <b>{d.model}</b>
                <span class="quiet">{d.status === 200 ? (BY[d.by] ?? d.by) : `${d.status} ${d.code ?? ''}`}</span>
                <span class={`number ${d.status === 200 ? '' : 'is-bad'}`}>
                  {d.costUsd === undefined ? '' : usd(d.costUsd)}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function DecisionCard({ decision: d }: { readonly decision: Decision }): JSX.Element {
  return (
    <section class="card" aria-label="Decision">
      <h2>
        Why {d.model}
        <a class="json" href={`/api/route/explain/${d.id}`} title="This decision as JSON">
          JSON
        </a>
      </h2>
      <p>
        {BY[d.by] ?? d.by}
        {d.cluster !== undefined && (
          <>
            {' '}
            for prompts of kind {d.cluster} ({percent(d.clusterShare ?? 0)} sure of the kind)
          </>
        )}
        {d.expectedError !== undefined && (
          <>
            , expected to be wrong in {percent(d.expectedError)}
            {d.interval && (
              <span class="quiet">
                {' '}
                (90 %: {percent(d.interval[0])} to {percent(d.interval[1])})
              </span>
            )}
          </>
        )}
        {d.cache !== undefined && <KeptFrom cache={d.cache} />}
        {d.sticky === 'kept' && <>; the conversation stays with its model</>}
        {d.sticky === 'moved' && <>; the conversation moved, since another is clearly better</>}.
      </p>
      <Thumbs key={d.id} decision={d} />
      {d.arms.length > 0 && <Arms arms={d.arms} chosen={d.model} />}
      {Object.entries(d.removed).map(([why, ids]) => (
        <p key={why} class="quiet">
          Left out, {why}: {ids.join(', ')}
        </p>
      ))}
      <dl class="facts">
        <div>
          <dt>asked for</dt>
          <dd>{d.asked}</dd>
        </div>
        <div>
          <dt>tries</dt>
          <dd>
            {d.attempts.map((a) => `${a.arm}: ${a.outcome.replaceAll('_', ' ')} (${millis(a.ms)})`).join(', ') ||
              'none'}
          </dd>
        </div>
        <div>
          <dt>tokens</dt>
          <dd>
            {d.promptTokens ?? '?'} in, {d.completionTokens ?? '?'} out
          </dd>
        </div>
        <div>
          <dt>cost</dt>
          <dd>
            {d.costUsd === undefined ? 'unknown' : usd(d.costUsd)}
            {d.savedUsd !== undefined &&
              d.reference !== undefined &&
              d.savedUsd > 0 &&
              ` (${usd(d.savedUsd)} less than ${d.reference})`}
          </dd>
        </div>
        <div>
          <dt>time</dt>
          <dd>
            {millis(d.ms)}, of it our own {d.overheadMs.toFixed(1)} ms
          </dd>
        </div>
      </dl>
    </section>
  );
}

function KeptFrom({ cache }: { readonly cache: NonNullable<Decision['cache']> }): JSX.Element | null {
  const { result, ageMs, savedUsd, similarity } = cache;
  if (result === 'check') return <>; a kept answer was at hand and is compared with this one</>;
  if (ageMs === undefined) return null;
  return (
    <>
      {' '}
      of {millis(ageMs)} ago
      {result === 'alike' && similarity !== undefined && <>, to an ask that is alike ({percent(similarity)})</>}
      {savedUsd !== undefined && <>, which had cost {usd(savedUsd)}</>}
    </>
  );
}

/** Candidates best first: expected error as a bar, expected cost beside it. */
export function Arms({ arms, chosen }: { readonly arms: readonly ArmView[]; readonly chosen: string }): JSX.Element {
  const most = Math.max(...arms.map((a) => a.expectedError ?? 0), 0.01);
  return (
    <table class="rows">
      <thead>
        <tr>
          <th scope="col">candidate</th>
          <th scope="col">expected error</th>
          <th scope="col" class="number">
            expected cost
          </th>
        </tr>
      </thead>
      <tbody>
        {arms.slice(0, 12).map((arm) => (
          <tr key={arm.id} class={arm.id === chosen ? 'is-chosen' : ''}>
            <th scope="row">{arm.id}</th>
            <td>
              {arm.expectedError === undefined ? (
                <span class="quiet">not measured</span>
              ) : (
                <span class="share" style={{ '--share': `${(100 * arm.expectedError) / most}%` }}>
                  {percent(arm.expectedError)}
                </span>
              )}
            </td>
            <td class="number">{usd(arm.expectedCost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
