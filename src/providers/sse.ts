// Server-sent events out of bytes as they arrive: lines end with LF, CR or CRLF, characters may be cut between two pieces,
// comments are skipped, several data lines are one event. Not a client: it only reads.
import { StringDecoder } from 'node:string_decoder';
import { ProviderError } from './provider-error.ts';

/** Longest line, and longest event, that is read; more is an attack or a fault. */
const MAX_LINE = 8 * 1024 * 1024;

/**
 * Yields the data of each event.
 *
 * @throws ProviderError `sse_line_too_long`
 * @example
 * for await (const data of readEvents(response)) if (data !== '[DONE]') console.log(JSON.parse(data));
 */
export async function* readEvents(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const parser = new EventParser();
  for await (const piece of source) yield* parser.push(piece);
  yield* parser.end();
}

/** The parser by itself, for sources that are not iterable. */
export class EventParser {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #data: string[] = [];
  #held = 0;
  #afterCr = false;

  /** Takes bytes; returns the data of the events that they complete. */
  push(piece: Uint8Array): string[] {
    return this.#lines(this.#decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)));
  }

  /** The last event, if the source ended without a blank line. */
  end(): string[] {
    const events = this.#lines(this.#decoder.end());
    if (this.#rest !== '') this.#line(this.#rest, events);
    this.#rest = '';
    this.#flush(events);
    return events;
  }

  #lines(text: string): string[] {
    const events: string[] = [];
    if (text === '') return events;
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = text === '' ? this.#afterCr : text.endsWith('\r');
    const all = this.#rest === '' ? text : this.#rest + text;
    let start = 0;
    for (let i = this.#rest.length; i < all.length; i++) {
      const code = all.charCodeAt(i);
      if (code !== 10 && code !== 13) continue;
      this.#line(all.slice(start, i), events);
      if (code === 13 && all.charCodeAt(i + 1) === 10) i++;
      start = i + 1;
    }
    this.#rest = all.slice(start);
    if (this.#rest.length > MAX_LINE) {
      throw tooLong();
    }
    return events;
  }

  #line(line: string, events: string[]): void {
    if (line === '') this.#flush(events);
    else if (line.startsWith('data:')) {
      this.#held += line.length;
      if (this.#held > MAX_LINE) throw tooLong();
      this.#data.push(line.slice(line.charCodeAt(5) === 32 ? 6 : 5));
    }
    // Other fields (event, id, retry) and comments carry nothing that a chat stream needs.
  }

  #flush(events: string[]): void {
    if (this.#data.length === 0) return;
    events.push(this.#data.length === 1 ? this.#data[0]! : this.#data.join('\n'));
    this.#data = [];
    this.#held = 0;
  }
}

function tooLong(): ProviderError {
  const message = `Expected lines and events of at most ${MAX_LINE} characters, got a longer one.`;
  return new ProviderError('sse_line_too_long', message, { remedy: 'next', unhealthy: true });
}
