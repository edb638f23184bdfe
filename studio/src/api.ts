// The studio's only way to the outside: the server's JSON API. Errors arrive as `{ error: { code, message, hint } }`.
import type {
  BoardView,
  ErasureView,
  EventView,
  ForgetView,
  PictureView,
  RelatedView,
  SketchNumbersView,
  TotalsView,
} from '../../src/mind/boards/view.ts';
import type { StreamState } from '../../src/serve/views.ts';

/** A refusal or fault of the server, told in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

export async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(
      0,
      'unreachable',
      'The server does not answer.',
      'Is it still running? The page tries again by itself.',
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  const error = (body as { error?: { code: string; message: string; hint?: string } } | undefined)?.error;
  throw new ApiError(
    response.status,
    error?.code ?? 'internal',
    error?.message ?? `The server answered ${response.status}.`,
    error?.hint,
  );
}

export function post<T>(path: string, body: unknown = {}): Promise<T> {
  return call<T>(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

const id = encodeURIComponent;

/** Every request the studio makes. */
export const api = {
  events: (limit: number, before?: number) =>
    call<{ events: BoardView[]; next: number | null }>(
      `/api/events?limit=${limit}${before === undefined ? '' : `&before=${before}`}`,
    ),
  event: (event: string, signal?: AbortSignal) => call<EventView>(`/api/events/${id(event)}`, signal ? { signal } : {}),
  picture: (event: string) => call<PictureView>(`/api/events/${id(event)}/picture`),
  sketch: (event: string) => call<SketchNumbersView>(`/api/events/${id(event)}/sketch`),
  erase: (event: string, keep: number) => call<ErasureView>(`/api/events/${id(event)}/erase?keep=${keep}`),
  related: (event: string, cell: number | null, k = 6) =>
    call<RelatedView>(`/api/events/${id(event)}/related?k=${k}${cell === null ? '' : `&cell=${cell}`}`),
  totals: () => call<TotalsView>('/api/totals'),
  ask: (png: Blob, name: string) =>
    call<BoardView>(`/api/ask?name=${id(name)}`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png' },
      body: png,
    }),
  forget: (event: string, keep?: number) =>
    post<ForgetView>(`/api/events/${id(event)}/forget`, keep === undefined ? {} : { keep }),
  pause: () => post<StreamState>('/api/stream/pause'),
  resume: () => post<StreamState>('/api/stream/resume'),
  step: () => post<{ state: StreamState; board: BoardView }>('/api/stream/step'),
  speed: (speed: number | 'max') => post<StreamState>('/api/stream/speed', { speed }),
};
