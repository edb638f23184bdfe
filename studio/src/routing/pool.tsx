// The models of the pool: price, measured error, share of the traffic, health.
import type { JSX } from 'preact';
import { percent } from '../format.ts';
import type { GatewayTotals, ModelRow } from './data.ts';

export interface PoolProps {
  readonly models: readonly ModelRow[];
  readonly totals: GatewayTotals | null;
  readonly router: string | null;
}

const HEALTH = { closed: 'well', open: 'resting', 'half-open': 'being tried' } as const;

export function Pool({ models, totals, router }: PoolProps): JSX.Element {
  const shares = new Map(totals?.models.map((m) => [m.model, m.requests]));
  const all = Math.max(
    1,
    [...shares.values()].reduce((sum, n) => sum + n, 0),
  );
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
            </tr>
          </thead>
          <tbody>
            {models.map((m) => (
              <tr key={m.id}>
                <th scope="row">
                  {m.id} <span class="quiet">{m.provider}</span>
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
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">
        A new model is profiled on a few prompts and routed to at once, without a restart:{' '}
        <code>cairn route add MODEL</code>.
      </p>
    </section>
  );
}
