// The digits of a remembered board as they were proved, read back from its sketch.
import type { StoredEvent } from '../../../memory/index.ts';
import { unroll } from '../../../sketch/index.ts';
import { receiptOf } from '../../receipt.ts';
import { digitsOf } from '../erase.ts';
import { checksumOf } from '../payload.ts';
import { payloadOf } from '../to-view.ts';

const read = new WeakMap<StoredEvent, Uint8Array | null>();

/** [81]; undefined unless the board was proved and its sketch still says all of it. */
export function provedDigits(event: StoredEvent): Uint8Array | undefined {
  let digits = read.get(event);
  if (digits === undefined) {
    digits = provedNow(event) ?? null;
    read.set(event, digits);
  }
  return digits ?? undefined;
}

function provedNow(event: StoredEvent): Uint8Array | undefined {
  if (event.task !== 'solve-board' || event.sketch.kept === 0) return undefined;
  const receipt = receiptOf(event);
  const payload = receipt ? payloadOf(receipt) : undefined;
  if (payload?.status !== 'proved') return undefined;
  const digits = digitsOf(unroll(event.sketch, event.structure));
  return digits && checksumOf(digits) === payload.checksum ? digits : undefined;
}
