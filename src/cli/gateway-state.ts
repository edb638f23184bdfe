// Where the gateway's state is: a file of the data directory, or a PostgreSQL server that several gateways share.
import { join } from 'node:path';
import { type GatewayState, openPostgresState, openStateThread } from '../serve/index.ts';
import type { Args, OptionSpec } from './command.ts';
import type { Io } from './io.ts';

export const gatewayStateOptions: Readonly<Record<string, OptionSpec>> = {
  'gateway-state': {
    type: 'string',
    value: 'URL',
    about:
      'share keys, budgets and learning of gateways on a PostgreSQL server (or CAIRN_GATEWAY_STATE; default: where --store is)',
  },
};

/** The file of the answers that the gateway keeps: always on this machine. */
export function answersPath(io: Io): string {
  return join(io.dataDir, 'gateway.db');
}

/** @throws CairnError `state_unavailable`, and those of `openPostgresState` */
export async function openGatewayState(args: Args, io: Io): Promise<GatewayState> {
  const asked = args.text('gateway-state') ?? process.env['CAIRN_GATEWAY_STATE'];
  if (asked) return openPostgresState(asked);
  const store = io.place.store?.[0]?.split(',')[0];
  return store ? openPostgresState(store, { beside: true }) : openStateThread(join(io.dataDir, 'gateway.db'));
}
