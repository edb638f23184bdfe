// A circuit breaker: a model that keeps failing is left alone for a while, then tried with a single call. Pure state machine;
// the clock is a parameter.

export interface BreakerOptions {
  /** Failures in a row that open it. Default 5. */
  readonly failures?: number;
  /** Calls within the window that a failure rate needs. Default 20. */
  readonly volume?: number;
  /** Share of failed calls in the window that opens it. Default 0.5. */
  readonly rate?: number;
  readonly windowMs?: number;
  /** First time it stays open; doubles up to `maxOpenMs`. */
  readonly openMs?: number;
  readonly maxOpenMs?: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/** State of one model at one provider. */
export class Breaker {
  readonly #options: Required<BreakerOptions>;
  #state: BreakerState = 'closed';
  #inARow = 0;
  #openUntil = 0;
  #openFor: number;
  #probing = false;
  /** Finished calls of the window, oldest first. */
  #calls: { at: number; ok: boolean }[] = [];

  constructor(options: BreakerOptions = {}) {
    this.#options = {
      failures: 5,
      volume: 20,
      rate: 0.5,
      windowMs: 30_000,
      openMs: 15_000,
      maxOpenMs: 300_000,
      ...options,
    };
    this.#openFor = this.#options.openMs;
  }

  state(now: number): BreakerState {
    if (this.#state === 'open' && now >= this.#openUntil) return 'half-open';
    return this.#state;
  }

  /** Milliseconds until a call may be tried again; 0 when one may be now. */
  waitMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntil - now) : 0;
  }

  /** Asks for a call. In the half-open state only one is let through until it ends. */
  allow(now: number): boolean {
    const state = this.state(now);
    if (state === 'closed') return true;
    if (state === 'open' || this.#probing) return false;
    this.#state = 'half-open';
    this.#probing = true;
    return true;
  }

  /** A call was let through but did not happen or says nothing about health. */
  release(): void {
    this.#probing = false;
  }

  succeeded(now: number): void {
    this.#inARow = 0;
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#openFor = this.#options.openMs;
      this.#calls = [];
    }
    this.#probing = false;
    this.#record(now, true);
  }

  failed(now: number): void {
    const wasProbe = this.#state === 'half-open';
    this.#probing = false;
    this.#inARow++;
    this.#record(now, false);
    const bad = this.#calls.filter((call) => !call.ok).length;
    const tooMany = this.#calls.length >= this.#options.volume && bad / this.#calls.length > this.#options.rate;
    if (this.#state === 'open') return; // a call that was under way when it opened
    if (!wasProbe && this.#inARow < this.#options.failures && !tooMany) return;
    if (wasProbe) this.#openFor = Math.min(this.#openFor * 2, this.#options.maxOpenMs);
    this.#state = 'open';
    this.#openUntil = now + this.#openFor;
  }

  #record(now: number, ok: boolean): void {
    this.#calls.push({ at: now, ok });
    const from = now - this.#options.windowMs;
    if (this.#calls.length > 1_000 || this.#calls[0]!.at < from) {
      this.#calls = this.#calls.filter((call) => call.at >= from).slice(-500);
    }
  }
}
