// What the server adds to the mind's views: the state of the stream, as plain JSON. Types only.

/** What the studio's controls show. `speed` 1 is one board in two seconds; `max` is as fast as the machine can. */
export interface StreamState {
  readonly running: boolean;
  readonly paused: boolean;
  readonly speed: Speed;
  readonly watchers: number;
  /** Boards finished since the server started. */
  readonly boards: number;
  /** Why the stream paused itself, if it did. */
  readonly fault?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** A factor of the usual pace from 0.1 to 32, or no delay at all. */
export type Speed = number | 'max';
