// The figures of each kind of growth: concepts with their size, patterns with the bits they save, modules before and after.
import type { JSX } from 'preact';
import { bytes, count, flop, percent } from '../format.ts';
import { type CircuitGrowth, type ConceptGrowth, conceptPath, type Estimate, type ModuleGrowth } from './data.ts';

export function ConceptLine({ growths }: { readonly growths: readonly ConceptGrowth[] }): JSX.Element {
  return (
    <ul class="concept-list">
      {growths.map((g) => (
        <li key={g.id}>
          {g.status === 'standing' ? (
            <a href={conceptPath(g.id)}>concept {g.concept}</a>
          ) : (
            <span>concept {g.concept}</span>
          )}
          <span class="quiet">
            {count(g.objects)} objects, {g.signature.rank} of {g.signature.size} dimensions
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Patterns that are shown. */
const SHOWN = 6;
/** Symbols of a pattern that are shown. */
const WRITTEN = 6;

export function Circuit({ growth }: { readonly growth: CircuitGrowth }): JSX.Element {
  const { bitsBefore, bitsAfter, savedShuffled, heldOut, nodes, nodeCount } = growth;
  const saved = bitsBefore - bitsAfter;
  return (
    <>
      <dl class="facts">
        <Row name="code without them">{bits(bitsBefore)}</Row>
        <Row name="with them, definitions paid">{bits(bitsAfter)}</Row>
        <Row name="saved">
          {bits(saved)} ({percent(saved / bitsBefore)})
        </Row>
        <Row name="the same symbols in random order">{bits(Math.max(0, savedShuffled))}</Row>
        <Row name={`${count(heldOut.streams)} streams that took no part`}>
          {bits(heldOut.bitsBefore)} → {bits(heldOut.bitsAfter)}
        </Row>
        <Row name="streams and symbols">
          {count(growth.streams)}, {count(growth.symbols)}
        </Row>
      </dl>
      <div class="scroll">
        <table class="patterns">
          <thead>
            <tr>
              <th scope="col">Pattern</th>
              <th scope="col">Uses</th>
              <th scope="col">Bits saved</th>
            </tr>
          </thead>
          <tbody>
            {nodes.slice(0, SHOWN).map((node, i) => (
              <tr key={i}>
                <td>
                  <ol class="pattern">
                    {runsOf(node.pattern)
                      .slice(0, WRITTEN)
                      .map(({ symbol, times }, k) => (
                        <li key={k}>
                          {symbol}
                          {times > 1 && <b> × {times}</b>}
                        </li>
                      ))}
                    {runsOf(node.pattern).length > WRITTEN && <li>… {count(node.length)} in all</li>}
                  </ol>
                </td>
                <td>{count(node.uses)}</td>
                <td>{count(Math.round(node.saved))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {nodeCount > SHOWN && <p class="quiet">{count(nodeCount - SHOWN)} more patterns are in the JSON.</p>}
    </>
  );
}

function runsOf(pattern: readonly string[]): { symbol: string; times: number }[] {
  const runs: { symbol: string; times: number }[] = [];
  for (const symbol of pattern) {
    const last = runs.at(-1);
    if (last?.symbol === symbol) last.times++;
    else runs.push({ symbol, times: 1 });
  }
  return runs;
}

export function Module({ growth }: { readonly growth: ModuleGrowth }): JSX.Element {
  const { composition, cost, errors, answered, heldOut, costRatio, errorChange } = growth;
  return (
    <>
      <p>
        Stands for <b>{composition.path.map(short).join(' → ')}</b>: {count(composition.calls)} of{' '}
        {count(composition.of)} calls, {percent(composition.costShare)} of the cost of <code>{growth.task}</code>.
      </p>
      <div
        class="costs"
        role="img"
        aria-label={`Cost of an event: ${flop(cost.before)} before, ${flop(cost.after)} after`}
      >
        <Bar name="before" value={cost.before} of={cost.before} />
        <Bar name="routes fitted anew" value={cost.refitted} of={cost.before} />
        <Bar name="with it" value={cost.after} of={cost.before} />
      </div>
      <dl class="facts">
        <Row name="cost of an event">{ofBefore(costRatio)}</Row>
        <Row name="wrong first answers">
          {count(errors.before)} → {count(errors.after)} of {count(heldOut.examples)}
        </Row>
        <Row name="more wrong, 90 % interval">
          {signed(errorChange.low)} to {signed(errorChange.high)}
        </Row>
        <Row name="events answered">
          {count(answered.before)} → {count(answered.after)} of {count(heldOut.events)}
        </Row>
        <Row name="learned from">{count(growth.learned)} examples</Row>
        <Row name="one call">{growth.flop > 0 ? flop(growth.flop) : 'nothing was made'}</Row>
        {growth.hash !== '' && (
          <Row name="frozen">
            {bytes(growth.bytes)}, <code title={growth.hash}>{growth.hash.slice(0, 12)}</code>
          </Row>
        )}
      </dl>
      <p class="quiet">Measured on held-out events, none of whose inputs it learned from; intervals are of 90 %.</p>
    </>
  );
}

function Bar({ name, value, of }: { readonly name: string; readonly value: number; readonly of: number }): JSX.Element {
  return (
    <div class="cost">
      <span>{name}</span>
      <span class="cost-track">
        <span class="cost-fill" style={{ width: `${Math.min(100, (100 * value) / (of || 1))}%` }} />
      </span>
      <span class="cost-value">{flop(value)}</span>
    </div>
  );
}

export function Row({
  name,
  children,
}: {
  readonly name: string;
  readonly children: JSX.Element | JSX.Element[] | string | (string | JSX.Element | number)[];
}): JSX.Element {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function ofBefore({ value, low, high }: Estimate): string {
  return `${percent(value)} of before (${percent(low)} to ${percent(high)})`;
}

function signed(rate: number): string {
  const size = `${(100 * Math.abs(rate)).toFixed(2)} %`;
  return rate > 0 ? `+${size}` : rate < 0 ? `−${size}` : '0 %';
}

function bits(n: number): string {
  return `${count(Math.round(n))} bits`;
}

function short(module: string): string {
  return module.slice(module.indexOf('/') + 1);
}
