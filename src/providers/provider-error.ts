// What can go wrong at a provider, sorted by what the gateway may do about it. Messages never hold a secret: bodies of
// upstream errors pass through the redactor of the caller before they are shown.
import { CairnError } from '../errors.ts';

/**
 * - `retry`: the same call may work a moment later (network, 408, 409, 425, 429, 5xx)
 * - `next`: this provider cannot answer, another may (401, 403, 404, 422, unreadable answers)
 * - `client`: the request itself is wrong (400 and kin); nobody else is asked
 */
export type Remedy = 'retry' | 'next' | 'client';

export interface ProviderErrorOptions {
  readonly status?: number;
  readonly remedy: Remedy;
  /** Milliseconds that the provider asks to wait. */
  readonly retryAfterMs?: number;
  /** True when it says something about the provider's health: these count for its breaker. */
  readonly unhealthy?: boolean;
  readonly hint?: string;
  readonly cause?: unknown;
  /** The upstream's own error object, if it sent one. */
  readonly upstream?: unknown;
}

/** A call that a provider did not answer. */
export class ProviderError extends CairnError {
  readonly status: number | undefined;
  readonly remedy: Remedy;
  readonly retryAfterMs: number | undefined;
  readonly unhealthy: boolean;
  readonly upstream: unknown;

  constructor(code: string, message: string, options: ProviderErrorOptions) {
    super(code, message, {
      ...(options.hint === undefined ? {} : { hint: options.hint }),
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.name = 'ProviderError';
    this.status = options.status;
    this.remedy = options.remedy;
    this.retryAfterMs = options.retryAfterMs;
    this.unhealthy = options.unhealthy ?? options.remedy === 'retry';
    this.upstream = options.upstream;
  }
}

/** The remedy for an HTTP status other than 2xx. */
export function remedyOf(status: number): Remedy {
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) return 'retry';
  if (status === 401 || status === 403 || status === 404 || status === 405 || status === 422) return 'next';
  if (status >= 400) return 'client';
  return 'next'; // a redirect: keys are never sent to another address than the configured one
}

/** Reads Retry-After: seconds or a date. `now` in milliseconds since 1970. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** An error that came inside an answer of status 200. */
export function errorInside(error: unknown, host: string): ProviderError {
  return new ProviderError('upstream_refused', `Expected an answer from ${host}, got an error in its body.`, {
    remedy: 'next',
    unhealthy: true,
    upstream: error,
  });
}

/** A stream that ended without a reason to finish. */
export function cutOff(host: string): ProviderError {
  return new ProviderError('upstream_cut', `Expected the stream of ${host} to finish, got its end in the middle.`, {
    remedy: 'retry',
  });
}
