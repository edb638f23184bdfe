// Time in recall: which events a cue's times let through. An event with a validity holds in it; one without is an
// observation: it happened at its time, and is known from then on.
import type { Cue } from './_cue.ts';
import { provenanceOf } from './_stored-event.ts';
import type { StoredRow } from './store.ts';

type Limits = Pick<Cue, 'between' | 'asOf' | 'known'>;

/** Whether any of the times of a cue is given. */
export function isLimited({ between, asOf, known }: Limits): boolean {
  return between !== undefined || asOf !== undefined || known !== undefined;
}

/** From when until when an event holds, the end excluded. */
export function validityOf(row: StoredRow): readonly [number, number] {
  const { validFrom, validTo } = provenanceOf(row);
  return [validFrom ?? row.at, validTo ?? Infinity];
}

/** Whether an event passes. What was withdrawn passes only where the cue asks for what was known before. */
export function passes(row: StoredRow, { between, asOf, known }: Limits): boolean {
  const retracted = row.times?.retractedAt;
  const at = known ?? asOf;
  if (retracted !== undefined && (at === undefined || retracted <= at)) return false;
  if (known !== undefined && row.at > known) return false;
  const { validFrom, validTo } = provenanceOf(row);
  if (asOf !== undefined && ((validFrom ?? row.at) > asOf || (validTo !== undefined && validTo <= asOf))) return false;
  if (between === undefined) return true;
  return (
    (validFrom ?? row.at) <= between[1] && (validTo ?? (validFrom === undefined ? row.at : Infinity)) >= between[0]
  );
}

/** Whether two events hold at some common time. */
export function overlap(a: StoredRow, b: StoredRow): boolean {
  const [a0, a1] = validityOf(a);
  const [b0, b1] = validityOf(b);
  return a0 < b1 && b0 < a1;
}
