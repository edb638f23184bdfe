// Server-sent events to many readers. Each reader has a bounded queue: one that is too slow loses old messages and is told so;
// it can neither stop the others nor fill the memory. A short ring of past messages serves Last-Event-ID.

/** One message as it goes over the wire. `id` is `<boot>.<sequence>`. */
interface Message {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Limits of a hub; the defaults fit a board event of some 100 KiB. */
export interface HubOptions {
  /** Marks this start of the server, so that an id of an earlier one is not mistaken for ours. */
  readonly boot: string;
  /** Messages kept for readers that come back. */
  readonly ring?: number;
  /** Messages that may wait for one reader. */
  readonly queue?: number;
  /** Milliseconds between heartbeats (comments that keep proxies and phones from closing the line). */
  readonly heartbeatMs?: number;
}

interface Reader {
  queue: Uint8Array[];
  lost: number;
  wake: (() => void) | undefined;
  closed: boolean;
  close: () => void;
}

const encoder = new TextEncoder();

/**
 * A publisher of server-sent events.
 *
 * @example
 * const hub = new Hub({ boot: 'a1' });
 * const response = new Response(hub.subscribe());
 * hub.publish('totals', { boards: 3 });
 */
export class Hub {
  readonly #boot: string;
  readonly #ringSize: number;
  readonly #queueSize: number;
  readonly #heartbeatMs: number;
  readonly #readers = new Set<Reader>();
  readonly #ring: Message[] = [];
  #sequence = 0;
  #closed = false;
  /** Called with the number of readers whenever it changes. */
  onReaders: (count: number) => void = () => undefined;

  constructor(options: HubOptions) {
    this.#boot = options.boot;
    this.#ringSize = options.ring ?? 16;
    this.#queueSize = options.queue ?? 32;
    this.#heartbeatMs = options.heartbeatMs ?? 15_000;
  }

  /** Readers connected now. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Sends `data` as JSON to every reader. */
  publish(event: string, data: unknown): void {
    if (this.#closed) return;
    const message = { sequence: ++this.#sequence, bytes: this.#encode(event, data, this.#sequence) };
    this.#ring.push(message);
    if (this.#ring.length > this.#ringSize) this.#ring.shift();
    for (const reader of this.#readers) this.#push(reader, message.bytes);
  }

  /**
   * A byte stream for one reader: first `hello`, then what it missed since `lastEventId` (when that is still known), then what comes.
   */
  subscribe(hello: unknown, lastEventId?: string): ReadableStream<Uint8Array> {
    const missed = this.#since(lastEventId);
    const reader: Reader = {
      queue: [encoder.encode('retry: 1500\n\n'), this.#encode('hello', hello), ...missed],
      lost: 0,
      wake: undefined,
      closed: false,
      close: () => undefined,
    };
    const heartbeat = setInterval(() => {
      if (reader.queue.length === 0) this.#push(reader, encoder.encode(': still here\n\n'));
    }, this.#heartbeatMs);
    heartbeat.unref();
    reader.close = () => {
      if (reader.closed) return;
      reader.closed = true;
      clearInterval(heartbeat);
      reader.wake?.();
      if (this.#readers.delete(reader)) this.onReaders(this.#readers.size);
    };
    if (this.#closed) reader.close();
    else {
      this.#readers.add(reader);
      this.onReaders(this.#readers.size);
    }
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (reader.queue.length === 0 && !reader.closed) {
            await new Promise<void>((resolve) => {
              reader.wake = resolve;
            });
            reader.wake = undefined;
          }
          if (reader.closed) {
            controller.close();
            return;
          }
          if (reader.lost > 0) {
            controller.enqueue(this.#encode('lagged', { lost: reader.lost }));
            reader.lost = 0;
          }
          controller.enqueue(reader.queue.shift()!);
        },
        cancel: () => reader.close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends every stream; later messages are dropped. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.close();
  }

  #push(reader: Reader, bytes: Uint8Array): void {
    reader.queue.push(bytes);
    if (reader.queue.length > this.#queueSize) {
      reader.queue.shift();
      reader.lost++;
    }
    reader.wake?.();
  }

  #since(lastEventId: string | undefined): Uint8Array[] {
    const [boot, sequence] = (lastEventId ?? '').split('.');
    if (boot !== this.#boot || !/^\d{1,15}$/.test(sequence ?? '')) return [];
    return this.#ring.filter((m) => m.sequence > Number(sequence)).map((m) => m.bytes);
  }

  #encode(event: string, data: unknown, sequence?: number): Uint8Array {
    const id = sequence === undefined ? '' : `id: ${this.#boot}.${sequence}\n`;
    return encoder.encode(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
