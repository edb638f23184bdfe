// Who may use the gateway. On this machine nobody needs a key; where the server has a token, a client brings the token or a key
// of its own. Pages of other sites are refused in any case.
import type { IncomingMessage } from 'node:http';
import { CairnError } from '../../errors.ts';
import { checkOrigin, isServerToken } from '../_guard.ts';
import type { Gateway } from './gateway.ts';
import { GatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';

/** Makes the check for a server with this token; undefined: it is bound to loopback. */
export function createAuthorise(
  token: string | undefined,
): (request: IncomingMessage, gateway: Gateway) => Promise<ClientKey | undefined> {
  return async (request, gateway) => {
    try {
      checkOrigin(
        request.method ?? 'GET',
        (name) => {
          const value = request.headers[name];
          return typeof value === 'string' ? value : undefined;
        },
        token === undefined,
      );
    } catch (error) {
      if (!CairnError.isInstance(error)) throw error;
      throw new GatewayError('forbidden', error.message, {
        status: 403,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer?.startsWith('ck-') === true) {
      const key = await gateway.keys.check(bearer);
      if (key !== undefined) return key;
      throw unauthorized('Expected a key of this gateway, got one that is unknown or was dropped.');
    }
    if (token === undefined || (bearer !== undefined && isServerToken(bearer, token))) return undefined;
    throw unauthorized('Expected a key of this gateway, got none.');
  };
}

function unauthorized(message: string): GatewayError {
  return new GatewayError('unauthorized', message, {
    status: 401,
    hint: 'Make one with `cairn keys add NAME` and send "Authorization: Bearer …".',
  });
}
