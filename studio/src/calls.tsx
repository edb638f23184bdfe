// The nested calls of an event as a tree. The readings of the cells are one branch, grouped by the module that answered.
import type { JSX } from 'preact';
import type { CallView } from '../../src/mind/boards/view.ts';
import { flop, millis, percent, place } from './format.ts';
import { Mark, readerOf } from './readers.tsx';

/** More equal siblings than this become one group. */
const GROUP_FROM = 6;

export function Calls({
  call,
  onCell,
}: {
  readonly call: CallView;
  readonly onCell: (cell: number) => void;
}): JSX.Element {
  return (
    <ul class="tree" aria-label="Nested calls">
      <Call call={call} onCell={onCell} open />
    </ul>
  );
}

function Call({
  call,
  onCell,
  open = false,
}: {
  readonly call: CallView;
  readonly onCell: (cell: number) => void;
  readonly open?: boolean;
}): JSX.Element {
  const groups = new Map<string, CallView[]>();
  for (const child of call.calls) groups.set(child.task, [...(groups.get(child.task) ?? []), child]);
  const line = <CallLine call={call} />;
  if (call.calls.length === 0) return <li>{line}</li>;
  return (
    <li>
      <details open={open}>
        <summary>{line}</summary>
        <ul>
          {[...groups].map(([task, calls]) =>
            calls.length < GROUP_FROM ? (
              calls.map((child, i) => <Call key={`${task}${i}`} call={child} onCell={onCell} open />)
            ) : (
              <Group key={task} task={task} calls={calls} onCell={onCell} />
            ),
          )}
        </ul>
      </details>
    </li>
  );
}

function CallLine({ call }: { readonly call: CallView }): JSX.Element {
  const tried = call.attempts.filter((a) => a.outcome !== 'answered').map((a) => `${variant(a.module)} ${a.outcome}`);
  const { route } = call;
  return (
    <span class="call">
      <b>{call.task}</b>{' '}
      <span class="call-module">{call.module === null ? 'nobody answered' : variant(call.module)}</span>
      <span class="quiet">
        {tried.length > 0 && `${tried.join(', ')} · `}
        {call.confidence !== null && `${percent(call.confidence)} sure · `}
        {call.usage.flop > 0 && `${flop(call.usage.flop)} · `}
        {millis(call.usage.ms)}
        {route.runnerUp !== null && ` · runner-up ${variant(route.runnerUp.module)}`}
      </span>
    </span>
  );
}

/** Many calls of one task: how many each module answered, and every single one on request. */
function Group({
  task,
  calls,
  onCell,
}: {
  readonly task: string;
  readonly calls: readonly CallView[];
  readonly onCell: (cell: number) => void;
}): JSX.Element {
  const by = new Map<string, number>();
  for (const call of calls) by.set(call.module ?? 'nobody', (by.get(call.module ?? 'nobody') ?? 0) + 1);
  const sum = calls.reduce((all, c) => all + c.usage.flop, 0);
  return (
    <li>
      <details>
        <summary>
          <span class="call">
            <b>
              {calls.length} × {task}
            </b>
            <span class="chips">
              {[...by].map(([module, n]) => (
                <span key={module} class={`chip by-${readerOf(module).id}`}>
                  <Mark reader={readerOf(module)} /> {readerOf(module).name} {n}
                </span>
              ))}
            </span>
            <span class="quiet">{flop(sum)}</span>
          </span>
        </summary>
        <ul class="cells-list">
          {calls.map((call, i) => {
            const cell = call.cell ?? i;
            const tried = call.attempts.map((a) => readerOf(a.module).name).join(' → ');
            return (
              <li key={cell}>
                <button type="button" class="plain" onClick={() => onCell(cell)}>
                  {place(cell)}
                </button>
                <span class="quiet">
                  {tried}
                  {call.confidence !== null && `, ${percent(call.confidence)}`}
                </span>
              </li>
            );
          })}
        </ul>
      </details>
    </li>
  );
}

/** All readings of one cell, in the order in which they were made, wherever they hang in the tree. */
export function callsOf(call: CallView, cell: number): readonly CallView[] {
  return call.cell === cell ? [call] : call.calls.flatMap((child) => callsOf(child, cell));
}

function variant(module: string): string {
  return module.slice(module.indexOf('/') + 1);
}
