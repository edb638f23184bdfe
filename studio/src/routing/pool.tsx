// The models of the pool: price, measured error, share of the traffic, health.
import type { JSX } from 'preact';
import { percent } from '../format.ts';
import { complain } from '../state.ts';
import { AddModel, Profile } from './add-model.tsx';
import { type GatewayTotals, type ModelRow, routingApi } from './data.ts';

export interface PoolProps {
  readonly models: readonly ModelRow[];
  readonly totals: GatewayTotals | null;
  readonly router: string | null;
  /** Called when the pool has changed. */
  readonly onChange: () => void;
}

const HEALTH = { closed: 'well', open: 'resting', 'half-open': 'being tried' } as const;

export function Pool({ models, totals, router, onChange }: PoolProps): JSX.Element {
  const shares = new Map(totals?.models.map((m) => [m.model, m.requests]));
  const all = Math.max(
    1,
    [...shares.values()].reduce((sum, n) => sum + n, 0),
  );
  const remove = (id: string): void => {
    if (confirm(`Take ${id} out of the pool? What was measured of it is dropped.`))
      routingApi.remove(id).then(onChange, complain);
  };
  return (
    <section class="card" aria-label="Pool">
      <h2>Pool</h2>
      <p class="quiet">
        {router === null ? (
          <>
            No router is fitted: <code>cairn/auto</code> takes the reference model. Fit one with{' '}
            <code>cairn route fit</code> and name its folder as <code>routing.router</code>.
          </>
        ) : (
          <>
            Router <code>{router}</code> chooses for <code>cairn/auto</code>.
          </>
        )}
      </p>
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">model</th>
              <th scope="col" class="number">
                in / out per M
              </th>
              <th scope="col" class="number">
                error
              </th>
              <th scope="col">traffic</th>
              <th scope="col">health</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {models.map((m) => (
              <tr key={m.id}>
                <th scope="row">
                  {m.id} <span class="quiet">{m.provider}</span>
                  <Profile model={m} onChange={onChange} />
                </th>
                <td class="number">
                  ${m.priceIn} / ${m.priceOut}
                </td>
                <td class="number" title={m.profiled ? `mean over ${m.labelled ?? 0} labelled prompts` : undefined}>
                  {m.meanError === undefined ? (m.embeddings ? 'vectors' : 'not profiled') : percent(m.meanError)}
                </td>
                <td>
                  <span class="share" style={{ '--share': `${(100 * (shares.get(m.id) ?? 0)) / all}%` }}>
                    {percent((shares.get(m.id) ?? 0) / all)}
                  </span>
                </td>
                <td>
                  <span class={`health is-${m.health}`}>{HEALTH[m.health]}</span>
                  {m.inFlight > 0 && <span class="quiet"> {m.inFlight} in flight</span>}
                </td>
                <td class="number">
                  {m.id !== totals?.reference && (
                    <button type="button" class="plain" aria-label={`Remove ${m.id}`} onClick={() => remove(m.id)}>
                      ×
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <AddModel providers={[...new Set(models.map((m) => m.provider))]} onChange={onChange} />
    </section>
  );
}
