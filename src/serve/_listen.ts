// Opens a port: the one that was asked for, or the first free one from the usual one on. Says what to do when there is none.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CairnError } from '../errors.ts';

/** Port that is tried first when none is asked for. */
export const DEFAULT_PORT = 4600;
const TRIES = 20;

/** Listens and returns the port. Throws `port_in_use`, `port_forbidden`, `bad_host`. */
export async function listen(server: Server, host: string, port: number | undefined): Promise<number> {
  if (port !== undefined) return once(server, host, port);
  for (let candidate = DEFAULT_PORT; ; candidate++) {
    try {
      return await once(server, host, candidate);
    } catch (error) {
      const taken = CairnError.isInstance(error) && (error.code === 'port_in_use' || error.code === 'port_forbidden');
      if (!taken || candidate >= DEFAULT_PORT + TRIES - 1) throw error;
    }
  }
}

function once(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => reject(toError(cause, host, port));
    server.once('error', failed);
    server.listen({ port, host }, () => {
      server.off('error', failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function toError(cause: NodeJS.ErrnoException, host: string, port: number): CairnError {
  if (cause.code === 'EADDRINUSE') {
    return new CairnError('port_in_use', `Expected port ${port} on ${host} to be free, got one that is in use.`, {
      hint: `Stop the other server, or choose a port: --port ${port + 1} (0 takes any free one).`,
      cause,
    });
  }
  if (cause.code === 'EACCES') {
    return new CairnError('port_forbidden', `Expected the right to open port ${port}, got a refusal of the system.`, {
      hint: 'Choose a port from 1024 up, for example --port 4600.',
      cause,
    });
  }
  return new CairnError(
    'bad_host',
    `Expected an address of this machine to bind to, got ${host} (${cause.code ?? 'unknown'}).`,
    {
      hint: 'Leave --host out to bind to 127.0.0.1.',
      cause,
    },
  );
}
