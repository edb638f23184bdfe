// Who may talk to the server. Without a token only the machine itself: the Host header must be a loopback name, which stops
// DNS rebinding. With a token every request must carry it. In both cases no page of another site may read or write.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { CairnError } from '../errors.ts';

/** Shortest token that is accepted, in characters. */
export const MIN_TOKEN_LENGTH = 16;

const COOKIE = 'cairn_token';
const YEAR_S = 31_536_000;

/** True for a name or address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** The host name of a Host header, without its port; undefined when it is not one. */
export function hostName(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(header ?? '')?.[1];
}

/**
 * Guards every request.
 *
 * @param token undefined: the server is bound to loopback and only loopback hosts are answered.
 */
export function createGuard(token: string | undefined): MiddlewareHandler {
  const expected = token === undefined ? undefined : digest(token);
  const matches = (given: string | undefined): boolean =>
    expected !== undefined && given !== undefined && timingSafeEqual(digest(given), expected);

  return async (c, next) => {
    checkOrigin(c.req.method, (header) => c.req.header(header), expected === undefined);
    if (expected === undefined || c.req.path === '/healthz') return next();

    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (matches(bearer)) return next();
    const url = new URL(c.req.url);
    const given = url.searchParams.get('token') ?? undefined;
    if (given !== undefined && matches(given)) {
      setCookie(c, COOKIE, given, { httpOnly: true, sameSite: 'Lax', path: '/', maxAge: YEAR_S });
      url.searchParams.delete('token');
      // A page is loaded again without the token, so that it stays out of history, bookmarks and referrers.
      if (c.req.method === 'GET' && (c.req.header('accept') ?? '').includes('text/html')) {
        return c.redirect(`${url.pathname}${url.search}`, 303);
      }
      return next();
    }
    if (matches(getCookie(c, COOKIE))) return next();
    throw new CairnError('unauthorized', 'Expected the token of this server, got none that fits.', {
      hint: 'Open the URL with ?token=… once, or send "Authorization: Bearer …".',
    });
  };
}

/**
 * Refuses requests that pages of other sites make, and host names that a page could make its own point here.
 * @throws CairnError `forbidden_host`, `forbidden_origin`
 */
export function checkOrigin(method: string, header: (name: string) => string | undefined, onlyLoopback: boolean): void {
  const host = header('host');
  const name = hostName(host);
  if (name === undefined || (onlyLoopback && !isLoopback(name))) {
    throw new CairnError('forbidden_host', 'Expected a Host header that names this machine, got another one.', {
      hint: 'Open the URL that the server printed, or start it with --host and --token.',
    });
  }
  refuseOtherSites(method, host!, header);
}

/** Compares a bearer with the server's token in constant time. */
export function isServerToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function refuseOtherSites(method: string, host: string, header: (name: string) => string | undefined): void {
  const site = header('sec-fetch-site');
  const origin = header('origin');
  const reads = method === 'GET' || method === 'HEAD';
  // A link from elsewhere may open a page; a script, form or picture elsewhere may do nothing.
  const navigates = reads && header('sec-fetch-mode') === 'navigate';
  const otherSite = site !== undefined && site !== 'same-origin' && site !== 'none' && !navigates;
  const otherOrigin = origin !== undefined && !navigates && originHost(origin) !== host.toLowerCase();
  if (otherSite || otherOrigin) {
    throw new CairnError(
      'forbidden_origin',
      'Expected a request of this server’s own pages, got one of another site.',
      {
        hint: 'Use the studio, or a program that sends no Origin header.',
      },
    );
  }
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
