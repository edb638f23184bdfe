// Long work in short slices, so that a server goes on answering meanwhile.

const SLICE_MS = 12;

/**
 * A pause that only happens when a slice of time is used up.
 * @throws the reason of `signal` when it is aborted
 */
export function slices(signal?: AbortSignal): () => Promise<void> {
  let began = performance.now();
  return async () => {
    signal?.throwIfAborted();
    if (performance.now() - began < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  };
}
