// Facts that change: an update is a new event that supersedes the old one and ends its validity; a withdrawal says when the
// memory stopped believing an event. Nothing is overwritten.
import { CairnError } from '../errors.ts';
import { type NamedLink, nodeOfLinks } from './_event-links.ts';
import type { Pending } from './_intake.ts';
import { eventsOfNodes } from './_relations.ts';
import { provenanceOf } from './_stored-event.ts';
import { validityOf } from './_validity.ts';
import type { Link } from './links.ts';
import { type Change, type Id, idToText, isCorrupt, type Store, type StoredRow, type Times } from './store.ts';

/** The intact row of an event; throws `event_not_found`, `event_quarantined`. */
export async function expectRow(store: Store, id: Id): Promise<StoredRow> {
  const [row] = await store.find([id]);
  if (row === undefined) {
    throw new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
      hint: 'List the events to see what is there; it may have been forgotten.',
    });
  }
  if (!isCorrupt(row)) return row;
  throw new CairnError('event_quarantined', `Expected an intact event, got a damaged row at ordinal ${row.ref}.`, {
    hint: 'The other events are readable. Remember it again from its source, or forget it.',
    details: { ordinal: row.ref },
  });
}

/** What must be written with an event that supersedes another: the end of the old one's validity, and the edge. */
export async function supersede(
  store: Store,
  old: StoredRow,
  from: number,
  prepare: (links: readonly NamedLink[], along: readonly Change[]) => Pending,
): Promise<Pending> {
  const [start, end] = validityOf(old);
  if (from < start || from > end) {
    throw new CairnError('bad_time', `Expected an update within the validity of the old event, got ${from}.`, {
      hint: 'Give the new event a validFrom, or an `at`, that is not before what it replaces and not after its end.',
    });
  }
  const [links] = await store.links([old.ref]);
  const node = nodeOfLinks(links!);
  if (node === undefined) {
    throw new CairnError('not_a_fact', `Expected an event with a validity or with edges, got ${idToText(old.id)}.`, {
      hint: 'Remember what may change with a validFrom in its provenance; observations are not updated.',
    });
  }
  const along: Change = { kind: 'times', id: old.id, times: { ...timesOf(old), validTo: from } };
  return prepare([{ kind: 'supersedes', to: node }], [along]);
}

/** Changes that take back what an event did to those it superseded: their validity is open again. */
export async function reopened(store: Store, row: StoredRow, links: readonly Link[]): Promise<Change[]> {
  const older = links.filter(({ kind }) => kind === 'supersedes').map(({ to }) => to);
  if (older.length === 0) return [];
  const [start] = validityOf(row);
  const changes: Change[] = [];
  for (const rows of (await eventsOfNodes(store, older)).values()) {
    for (const older of rows) {
      const { validTo, ...rest } = timesOf(older);
      if (validTo === start) changes.push({ kind: 'times', id: older.id, times: rest });
    }
  }
  return changes;
}

/** All times of a row; the validity of an event of an old file stands in its provenance. */
function timesOf(row: StoredRow): Times {
  const { validFrom, validTo } = provenanceOf(row);
  return { validFrom, validTo, retractedAt: row.times?.retractedAt };
}
