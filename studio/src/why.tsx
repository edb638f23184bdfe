// The way to the answer of one cell: which readers were asked in turn, what the router expected beforehand, and whether the cell
// was read again because the board as a whole stayed in doubt.
import type { JSX } from 'preact';
import type { AttemptView, CallView, CellView, RouteView } from '../../src/mind/boards/view.ts';
import { flop, percent } from './format.ts';
import { Mark, readerOf } from './readers.tsx';

interface Asked {
  readonly module: string;
  readonly says: string;
}

export function Why({ view, calls }: { readonly view: CellView; readonly calls: readonly CallView[] }): JSX.Element {
  const asked = calls.length > 0 ? calls.flatMap((c) => c.attempts.map(fromAttempt)) : fromNames(view.asked);
  const route = calls[0]?.route;
  return (
    <div class="why">
      <ol class="asked" aria-label="Readers asked">
        {asked.map(({ module, says }, i) => (
          <li key={i}>
            <span class={`chip by-${readerOf(module).id}`}>
              <Mark reader={readerOf(module)} /> {readerOf(module).name}
            </span>
            <span class="quiet">{says}</span>
          </li>
        ))}
      </ol>
      <p class="quiet">
        {route && route.expectedError !== null ? expectation(route) : fallback(asked.length)}
        {calls.length > 1 && ' It was read again because the first reading left the whole board in doubt.'}
      </p>
    </div>
  );
}

function fromAttempt({ module, outcome, confidence }: AttemptView): Asked {
  return { module, says: confidence === null ? outcome : `${outcome}, ${percent(confidence)}` };
}

/** Until the calls are there: the names alone. */
function fromNames(names: readonly string[]): Asked[] {
  return names.map((module, i) => ({ module, says: i === names.length - 1 ? 'answered' : 'unsure' }));
}

function expectation(route: RouteView): string {
  const { chosen, expectedError, interval, expectedCost, runnerUp } = route;
  const range = interval === null ? '' : ` (${percent(interval[0])} to ${percent(interval[1])})`;
  const cost = expectedCost === null ? '' : ` at ${flop(expectedCost)}`;
  const other =
    runnerUp === null
      ? ''
      : `; runner-up ${readerOf(runnerUp.module).name}, ${percent(runnerUp.expectedError)} at ${flop(runnerUp.expectedCost)}`;
  return `The router started with ${readerOf(chosen).name}: expected error ${percent(expectedError ?? 0)}${range}${cost}${other}.`;
}

function fallback(asked: number): string {
  return asked > 1
    ? 'The smaller reader was not sure enough, so the next one was asked.'
    : 'The router expected this reader to be good enough, and its answer was sure.';
}
