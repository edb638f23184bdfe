// The two small byte forms beside a sketch: where an event comes from, and what the caller wants kept with it.
import { CairnError } from '../errors.ts';
import { readVarint, varintLength, writeVarint } from './postings.ts';
import { isSourceName } from './store.ts';

/** Where an event comes from. All numbers are non-negative integers below 2^53. */
export interface Provenance {
  /** Name or URI of the source, stored once for all its events. */
  readonly source: string;
  /** Number of the event in its source: equal content under another ordinal is another event. */
  readonly ordinal?: number | undefined;
  /** Byte range in the source. */
  readonly range?: readonly [number, number] | undefined;
  /** SHA-256 of the source bytes, 64 hexadecimal digits. */
  readonly sha256?: string | undefined;
  /** When it holds in the world, milliseconds since 1970. */
  readonly validFrom?: number | undefined;
  readonly validTo?: number | undefined;
}

/** Plain data that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type Meta = Uint8Array | Json | undefined;

/** All but the source, a few bytes. */
export function packProvenance(p: Provenance): Uint8Array {
  if (typeof p.source !== 'string' || !isSourceName(p.source) || p.source.length > 2048) {
    throw new CairnError(
      'bad_provenance',
      'Expected a source of 1 to 2048 characters without NUL or U+0001, got another value.',
      {
        hint: "Name where the event comes from, such as 'stream' or a file name.",
      },
    );
  }
  const numbers = [p.ordinal, p.range?.[0], p.range?.[1], p.validFrom, p.validTo];
  for (const n of numbers) {
    if (n !== undefined && (!Number.isSafeInteger(n) || n < 0)) {
      throw new CairnError('bad_provenance', `Expected non-negative integers in a provenance, got ${n}.`);
    }
  }
  if (p.sha256 !== undefined && !/^[0-9a-f]{64}$/.test(p.sha256)) {
    throw new CairnError('bad_provenance', 'Expected 64 hexadecimal digits as sha256, got another text.');
  }
  let flags = p.sha256 === undefined ? 0 : 32;
  let size = 1 + (p.sha256 === undefined ? 0 : 32);
  numbers.forEach((n, i) => {
    if (n === undefined) return;
    flags |= 1 << i;
    size += varintLength(n);
  });
  if (flags === 0) return new Uint8Array(0);
  const out = new Uint8Array(size);
  out[0] = flags;
  let at = 1;
  for (const n of numbers) if (n !== undefined) at = writeVarint(out, at, n);
  if (p.sha256 !== undefined) out.set(Buffer.from(p.sha256, 'hex'), at);
  return out;
}

export function unpackProvenance(source: string, bytes: Uint8Array): Provenance {
  if (bytes.length === 0) return { source };
  const flags = bytes[0]!;
  let at = 1;
  const numbers = [0, 1, 2, 3, 4].map((i) => {
    if ((flags & (1 << i)) === 0) return undefined;
    const [value, next] = readVarint(bytes, at);
    at = next;
    return value;
  });
  const [ordinal, low, high, validFrom, validTo] = numbers;
  return {
    source,
    ...(ordinal === undefined ? {} : { ordinal }),
    ...(low === undefined || high === undefined ? {} : { range: [low, high] }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validTo === undefined ? {} : { validTo }),
    ...((flags & 32) === 0 ? {} : { sha256: Buffer.from(bytes.subarray(at, at + 32)).toString('hex') }),
  };
}

/** One byte that says which, then the bytes as they are or JSON in UTF-8. */
export function packMeta(meta: Meta): Uint8Array {
  if (meta === undefined) return new Uint8Array(0);
  const body = meta instanceof Uint8Array ? meta : new TextEncoder().encode(JSON.stringify(meta));
  const out = new Uint8Array(body.length + 1);
  out[0] = meta instanceof Uint8Array ? 1 : 2;
  out.set(body, 1);
  return out;
}

export function unpackMeta(bytes: Uint8Array): Meta {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === 1) return bytes.slice(1);
  return JSON.parse(new TextDecoder().decode(bytes.subarray(1))) as Json;
}
