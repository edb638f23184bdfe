// The line to the server: server-sent events, opened while the page is visible, so that boards are only worked on while
// somebody looks. The browser reconnects by itself; after a gap the lists are asked for again.
import { effect } from '@preact/signals';
import type { BoardView, TotalsView } from '../../src/mind/boards/view.ts';
import type { StreamState } from '../../src/serve/views.ts';
import { api } from './api.ts';
import { type Growing, growing, refreshGrowth } from './growth/data.ts';
import { addDecisions, type Decision, type GatewayTotals, gatewayTotals } from './routing/data.ts';
import { route } from './router.ts';
import {
  complain,
  connection,
  dropEvent,
  held,
  notice,
  older,
  recent,
  remember,
  show,
  shown,
  stream,
  totals,
} from './state.ts';

const HIDDEN_GRACE_MS = 4_000;

let source: EventSource | undefined;
let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

function data<T>(event: Event): T {
  return JSON.parse((event as MessageEvent<string>).data) as T;
}

/** Takes over the stream's state; a fault is told once, when it appears. */
function setStream(state: StreamState): void {
  const known = stream.peek()?.fault;
  // At full speed not every board is sent: when it comes to rest, the list is made whole.
  if (stream.peek()?.running && !state.running) refresh().catch(complain);
  stream.value = state;
  const { fault } = state;
  if (!fault || fault.message === known?.message) return;
  notice.value = {
    kind: 'error',
    text: `The stream stopped. ${fault.message}`,
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
  };
}

async function refresh(): Promise<void> {
  const [page, sums] = await Promise.all([api.events(24), api.totals()]);
  const had = recent.value.length;
  remember(page.events);
  if (had === 0) older.value = page.next;
  totals.value = sums;
  const newest = page.events[0];
  if (newest && !shown.value) await show(newest, true);
}

function connect(): void {
  if (source) return;
  source = new EventSource('/api/stream');
  source.addEventListener('hello', (event) => {
    connection.value = 'open';
    setStream(data<{ state: StreamState }>(event).state);
    refresh().catch(complain);
  });
  source.addEventListener('state', (event) => setStream(data<StreamState>(event)));
  source.addEventListener('totals', (event) => (totals.value = data<TotalsView>(event)));
  source.addEventListener('decisions', (event) => {
    const { latest, totals: sums } = data<{ latest: Decision[]; totals: GatewayTotals }>(event);
    addDecisions(latest);
    gatewayTotals.value = { ...gatewayTotals.peek(), ...sums };
  });
  source.addEventListener('growing', (event) => (growing.value = data<Growing>(event)));
  source.addEventListener('growth', () => refreshGrowth());
  source.addEventListener('lagged', () => void refresh().catch(complain));
  source.addEventListener('forgotten', (event) => {
    const { id, keep } = data<{ id: string; keep: number }>(event);
    if (keep === 0) dropEvent(id);
  });
  source.addEventListener('board', (event) => {
    const board = data<BoardView>(event);
    remember([board]);
    if (!held.value && route.peek().page === 'live') void show(board, true);
  });
  source.addEventListener('error', () => {
    connection.value = 'lost';
    // A refusal (not a lost line) closes the source for good: try again slowly.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(connect, 3_000);
    }
  });
}

function disconnect(): void {
  source?.close();
  source = undefined;
}

/** Starts to listen; stops while the page is hidden. */
export function startLive(): void {
  connect();
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(disconnect, HIDDEN_GRACE_MS);
    else connect();
  });
  // Back on the live page, the newest board is on the table again unless one is held.
  effect(() => {
    if (route.value.page !== 'live' || held.peek()) return;
    const newest = recent.peek()[0];
    if (newest && shown.peek()?.board.id !== newest.id) void show(newest, false);
  });
}
