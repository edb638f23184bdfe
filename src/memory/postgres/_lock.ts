// One client at a time: an advisory lock on a connection of its own says that its holder lives, and an epoch in the row of
// counters keeps a holder that was cut off from writing after another took over.
import { CairnError } from '../../errors.ts';
import { toPostgresError } from './_errors.ts';
import { LOCK_SPACE } from './_schema.ts';
import type { Server } from './_server.ts';

export interface Lock {
  /** Throws `store_taken` when another client has opened the store since. */
  check(epoch: number): void;
  release(): Promise<void>;
}

/** A client that was killed holds its lock until the server notices: this often, and this long, is asked again. */
const ATTEMPTS = 20;
const PAUSE_MS = 100;

export async function takeLock(server: Server): Promise<Lock> {
  const { schema } = server.target;
  const link = await server.hold();
  try {
    for (let attempt = 1; ; attempt++) {
      const [row] = await link.sql<{ got: boolean }[]>`
        SELECT pg_try_advisory_lock(${LOCK_SPACE}, hashtext(${schema})) AS got`;
      if (row!.got) break;
      if (attempt === ATTEMPTS) {
        throw new CairnError(
          'store_locked',
          `Expected to be the only user of schema ${schema} in ${server.where}, got one that another process has open.`,
          { hint: 'Stop the other process, or choose another schema with ?schema=NAME.' },
        );
      }
      await new Promise<void>((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    const [row] = await link.sql<{ epoch: number }[]>`UPDATE meta SET epoch = epoch + 1 RETURNING epoch`;
    const mine = row!.epoch;
    await link.sql`DELETE FROM writer`;
    return {
      check(epoch) {
        if (epoch === mine) return;
        throw new CairnError('store_taken', `Expected to be still the only user of ${server.where}, got a later one.`, {
          hint: 'Another process opened the store while the connection was lost; open it again when that one is done.',
        });
      },
      async release() {
        await link.close();
      },
    };
  } catch (error) {
    await link.close();
    throw toPostgresError(error, server.where);
  }
}
