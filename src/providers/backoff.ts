// How long to wait before the next try: full jitter over a doubling span, and never less than the provider asks for.

const FIRST_MS = 200;
const MOST_MS = 8_000;

/**
 * Milliseconds to wait after try number `attempt` (from 0). `uniform` draws from [0, 1).
 *
 * @example
 * backoffMs(0, undefined, () => 0.5); // 100
 */
export function backoffMs(attempt: number, retryAfterMs: number | undefined, uniform: () => number): number {
  const jittered = uniform() * Math.min(MOST_MS, FIRST_MS * 2 ** attempt);
  return Math.max(jittered, retryAfterMs ?? 0);
}

/** Waits; rejects at once with the signal's reason when it is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
