// The servers of a partitioned store and the stores that each keeps: a chair for what is not an event, and its partitions.
import { CairnError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { type Layout, type Partition, partitionsOf, serversOf } from './_layout.ts';

/** One server as the caller knows it. */
export interface ServerOptions {
  /** For people, without secrets. */
  readonly name: string;
  /** Opens a store of this server: '' its first, others by name. Throws `store_unreachable` when the server does not answer. */
  open(name: string): Promise<Store>;
}

/** Names one store: `2/` the chair of server 2, `2/1_2` one of its partitions. */
export type StoreKey = string;

export class Seat {
  readonly options: ServerOptions;
  number: number | undefined;
  /** Why it does not answer. */
  fault: CairnError | undefined;
  readonly stores = new Map<string, Store>();

  constructor(options: ServerOptions) {
    this.options = options;
  }

  get live(): boolean {
    return this.fault === undefined && this.stores.has('');
  }

  get name(): string {
    return this.number === undefined ? this.options.name : `server-${this.number}`;
  }

  get chair(): Store {
    return this.stores.get('')!;
  }

  /** The store of a partition: its chair when nothing is kept twice. */
  store(partition: Partition): Store | undefined {
    return this.stores.get(partition.includes('_') ? partition : '');
  }

  /** Opens the stores that the layout wants and that are not open yet. */
  async open(layout: Layout): Promise<void> {
    for (const servers of [layout.servers, layout.moving?.servers ?? []]) {
      for (const partition of partitionsOf(servers, layout.replicas)) {
        if (!partition.includes('_') || !serversOf(partition).includes(this.number!)) continue;
        if (!this.stores.has(partition)) this.stores.set(partition, await this.options.open(partition));
      }
    }
  }

  async close(): Promise<void> {
    const stores = [...this.stores.values()];
    this.stores.clear();
    await Promise.all(stores.map((store) => store.close()));
  }
}

export function keyOf(server: number, partition: Partition | ''): StoreKey {
  return `${server}/${partition.includes('_') ? partition : ''}`;
}

/** Whether an error says that a server does not answer, rather than that it was asked for something wrong. */
export function isDown(error: unknown): error is CairnError {
  return CairnError.isInstance(error) && error.code === 'store_unreachable';
}

export function serverDown(name: string, cause: CairnError | undefined): CairnError {
  return new CairnError('server_down', `Expected ${name} to answer, which keeps this event, got none.`, {
    hint: 'Start the server and try again, or keep every event on two servers with replicas 2.',
    details: { server: name, ...(cause === undefined ? {} : { cause: cause.code }) },
  });
}
