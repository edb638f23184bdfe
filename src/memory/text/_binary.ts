// Refuses bytes that are not text before anything is made of them.
import { CairnError } from '../../errors.ts';

/** Bytes that are looked at. */
const LOOK = 65_536;
const MOST_CONTROL = 0.05;

/**
 * @throws CairnError `not_text` for a NUL byte, more than 5 % control characters in the first 64 KiB, or another encoding
 */
export function expectText(bytes: Uint8Array, name: string): void {
  const seen = Math.min(bytes.length, LOOK);
  let control = 0;
  for (let i = 0; i < seen; i++) {
    const byte = bytes[i]!;
    if (byte === 0) throw notText(name, `a NUL byte at offset ${i}`);
    // Tab, line feed, form feed, carriage return and escape (colours in logs) belong to text.
    if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27) || byte === 127)
      control++;
  }
  if (control > MOST_CONTROL * seen) {
    throw notText(name, `${((100 * control) / seen).toFixed(1)} % control characters`);
  }
  // The end of the sample may cut a character: up to three bytes are left out.
  const whole = seen === bytes.length ? seen : lastBoundary(bytes, seen);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, whole));
  } catch (cause) {
    throw notText(name, 'bytes that are not UTF-8', cause);
  }
}

function lastBoundary(bytes: Uint8Array, end: number): number {
  let at = end;
  while (at > end - 4 && at > 0 && (bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

function notText(name: string, got: string, cause?: unknown): CairnError {
  return new CairnError('not_text', `Expected text in UTF-8 in ${name}, got ${got}.`, {
    hint: 'Convert it to text first, or leave it out.',
    ...(cause === undefined ? {} : { cause }),
  });
}
