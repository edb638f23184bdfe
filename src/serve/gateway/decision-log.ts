// The decisions on their way into the state. They are made into text a moment later and a few at a time, so that answers which are
// ready together do not wait for it, and no request behind many of them; what is not written yet can be read all the same.
import type { DecisionRecord } from './explain.ts';
import type { GatewayState } from './state.ts';

/** Decisions that are kept. */
const KEEP = 100_000;
/** Decisions that wait for a state that cannot be written. */
const MOST_WAITING = 10_000;
/** Made into text at one go: some tenths of a millisecond. */
const AT_ONCE = 8;
/** A state on this machine takes small pieces often; one on a server takes larger ones, since every one is a round trip. */
const PACE = {
  own: { everyMs: 10, most: 32 },
  shared: { everyMs: 200, most: 1_000 },
} as const;

interface Row {
  readonly id: string;
  readonly at: number;
  readonly value: string;
}

export class DecisionLog {
  readonly #state: GatewayState;
  readonly #log: (line: string) => void;
  readonly #pace: (typeof PACE)['own' | 'shared'];
  /** Not written yet: the latest word of each. No `Map`: see `Slots`. */
  readonly #waiting: Record<string, DecisionRecord> = Object.create(null) as Record<string, DecisionRecord>;
  /** Of these, what is no text yet, and what is. */
  #records: DecisionRecord[] = [];
  #rows: { readonly record: DecisionRecord; readonly row: Row }[] = [];
  #encoding = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(state: GatewayState, log: (line: string) => void) {
    this.#state = state;
    this.#log = log;
    this.#pace = state.shared ? PACE.shared : PACE.own;
  }

  /** Takes a decision, or what was learned of it since. */
  add(record: DecisionRecord): void {
    this.#waiting[record.id] = record;
    this.#records.push(record);
    if (!this.#encoding) this.#timer ??= setTimeout(this.#encodeSome, this.#pace.everyMs);
  }

  /** A decision that is not written yet. */
  waiting(id: string): DecisionRecord | undefined {
    return this.#waiting[id];
  }

  /** Writes what was added before. Never throws: what cannot be written waits and is said. */
  flush(): Promise<void> {
    this.#encode(Infinity);
    this.#write();
    return this.#writing;
  }

  readonly #encodeSome = (): void => {
    this.#timer = undefined;
    this.#encode(AT_ONCE);
    this.#encoding = this.#records.length > 0;
    if (this.#encoding) setImmediate(this.#encodeSome);
    else this.#write();
  };

  #encode(most: number): void {
    for (const record of this.#records.splice(0, most)) {
      // Of several words on the same decision the latest is written.
      if (this.#waiting[record.id] !== record) continue;
      this.#rows.push({ record, row: { id: record.id, at: record.at, value: JSON.stringify(record) } });
    }
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) this.#writing = this.#writing.then(() => this.#put(rows));
  }

  async #put(rows: readonly { readonly record: DecisionRecord; readonly row: Row }[]): Promise<void> {
    for (let from = 0; from < rows.length; from += this.#pace.most) {
      const some = rows.slice(from, from + this.#pace.most);
      try {
        await this.#state.record(
          some.map(({ row }) => row),
          KEEP,
        );
      } catch (error) {
        this.#log(`Decisions could not be written: ${String(error)}`);
        this.#keep(rows.slice(from));
        return;
      }
      for (const { record } of some) if (this.#waiting[record.id] === record) delete this.#waiting[record.id];
    }
  }

  /** What was refused is tried again with the next; a state that is away for long must not fill the memory: the latest are kept. */
  #keep(rows: readonly { readonly record: DecisionRecord; readonly row: Row }[]): void {
    this.#rows = [...rows, ...this.#rows].filter(({ record }) => this.#waiting[record.id] === record);
    for (const { record } of this.#rows.splice(0, Math.max(0, this.#rows.length - MOST_WAITING)))
      delete this.#waiting[record.id];
  }
}
