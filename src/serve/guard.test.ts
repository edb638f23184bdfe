// Who is let in: the machine itself by name, others by token; no page of another site, whatever it sends.
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { toFailure } from './_failure.ts';
import { createGuard, hostName, isLoopback } from './_guard.ts';

const TOKEN = 'correct-horse-battery';

function app(token?: string): Hono {
  const hono = new Hono();
  hono.use(createGuard(token));
  hono.onError((error, c) => {
    const { status, body } = toFailure(error);
    return c.json(body, status);
  });
  hono.all('*', (c) => c.text('in'));
  return hono;
}

async function ask(token: string | undefined, headers: Record<string, string>, path = '/api/events', method = 'GET') {
  return app(token).request(`http://x${path}`, { method, headers: { host: '127.0.0.1:4600', ...headers } });
}

test.each([
  ['localhost', true],
  ['LOCALHOST', true],
  ['cairn.localhost', true],
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['[::1]', true],
  ['localhost.', true],
  ['localhost.evil.test', false],
  ['127.0.0.1.evil.test', false],
  ['0.0.0.0', false],
  ['192.168.1.5', false],
  ['', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('reads the name of a Host header and refuses what is none', () => {
  expect(hostName('localhost:4600')).toBe('localhost');
  expect(hostName('[::1]:4600')).toBe('[::1]');
  for (const bad of [undefined, '', 'a b', 'x/y', 'evil@127.0.0.1', 'localhost:999999', '[::1'])
    expect(hostName(bad)).toBeUndefined();
});

test('without a token: loopback hosts only', async () => {
  expect((await ask(undefined, {})).status).toBe(200);
  expect((await ask(undefined, { host: 'localhost:9000' })).status).toBe(200);
  const rebound = await ask(undefined, { host: 'evil.test:4600' });
  expect(rebound.status).toBe(403);
  expect(await rebound.json()).toMatchObject({ error: { code: 'forbidden_host' } });
});

test.each([
  ['a form of another site', 'POST', { origin: 'https://evil.test' }, 403],
  ['a sandboxed frame', 'POST', { origin: 'null' }, 403],
  ['another port of this machine', 'POST', { origin: 'http://127.0.0.1:9999' }, 403],
  ['a script of another site that hides its origin', 'POST', { 'sec-fetch-site': 'cross-site' }, 403],
  [
    'a picture or script tag of another site',
    'GET',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    403,
  ],
  ['another service of this machine', 'GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, 403],
  ['a link from another site', 'GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
  [
    'a form of another site that navigates',
    'POST',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    403,
  ],
  ['the studio', 'POST', { origin: 'http://127.0.0.1:4600', 'sec-fetch-site': 'same-origin' }, 200],
  ['a program', 'POST', {}, 200],
] as [string, string, Record<string, string>, number][])('%s: %s %j -> %d', async (_who, method, headers, status) => {
  expect((await ask(undefined, headers, '/api/forget', method)).status).toBe(status);
});

test('with a token: bearer, then cookie; anything else is refused', async () => {
  expect((await ask(TOKEN, {})).status).toBe(401);
  expect((await ask(TOKEN, { authorization: 'Bearer wrong-horse-battery' })).status).toBe(401);
  expect((await ask(TOKEN, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  expect((await ask(TOKEN, { host: 'studio.example:4600', authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  expect((await ask(TOKEN, {}, '/api/events?token=wrong')).status).toBe(401);
  expect((await ask(TOKEN, {}, '/healthz')).status).toBe(200);
});

test('?token= in a browser becomes a cookie and leaves the address', async () => {
  const first = await ask(TOKEN, { accept: 'text/html' }, `/events/abc?token=${TOKEN}&x=1`);
  expect(first.status).toBe(303);
  expect(first.headers.get('location')).toBe('/events/abc?x=1');
  const cookie = first.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/HttpOnly/);
  expect(cookie).toMatch(/SameSite=Lax/);
  expect((await ask(TOKEN, { cookie: cookie.split(';')[0]! })).status).toBe(200);
  expect(
    (await ask(TOKEN, { cookie: cookie.split(';')[0]!, origin: 'https://evil.test' }, '/api/forget', 'POST')).status,
  ).toBe(403);
});
