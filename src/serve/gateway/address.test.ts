// What an address means, however it is written; links that an upstream would fetch; requests that are wide or deep.
import { expect, test } from 'vitest';
import { kindOfHost } from './address.ts';
import { addressFault } from './config.ts';
import { checkLinks, parseBody, toChatRequest } from './request.ts';

test.each([
  ['https://api.example.org/v1', 'public'],
  ['https://8.8.8.8/', 'public'],
  ['https://[2606:4700::1111]/', 'public'],
  ['http://localhost:1/', 'loopback'],
  ['http://LOCALHOST./', 'loopback'],
  ['http://127.0.0.1/', 'loopback'],
  ['http://2130706433/', 'loopback'],
  ['http://0x7f.1/', 'loopback'],
  ['http://0177.0.0.1/', 'loopback'],
  ['http://[::1]/', 'loopback'],
  ['http://[::ffff:127.0.0.1]/', 'loopback'],
  ['http://10.1.2.3/', 'private'],
  ['http://0.0.0.0/', 'private'],
  ['http://[::]/', 'private'],
  ['http://100.64.0.1/', 'private'],
  ['http://[fd12::1]/', 'private'],
  ['http://[::ffff:192.168.0.1]/', 'private'],
  ['http://[64:ff9b::10.0.0.1]/', 'private'],
  ['http://printer/', 'private'],
  ['http://wiki.internal/', 'private'],
  ['http://169.254.169.254/', 'metadata'],
  ['http://[::ffff:169.254.169.254]/', 'metadata'],
  ['http://[fe80::1]/', 'metadata'],
  ['http://metadata.google.internal/', 'metadata'],
  ['http://100.100.100.200/', 'metadata'],
])('%s is %s', (address, kind) => {
  expect(kindOfHost(new URL(address))).toBe(kind);
});

test('upstreams: loopback is fine, a private network must be meant, the metadata service never is', () => {
  expect(addressFault('http://127.0.0.1:11434/v1', false)).toBeUndefined();
  expect(addressFault('http://[::ffff:10.0.0.1]/v1', false)).toMatch(/private/);
  expect(addressFault('http://10.0.0.1/v1', true)).toBeUndefined();
  expect(addressFault('http://[::ffff:169.254.169.254]/v1', true)).toMatch(/metadata/);
  expect(addressFault('http://api.example.org/v1', true)).toMatch(/https/);
});

const withLink = (url: string, type = 'image_url'): ReturnType<typeof toChatRequest> =>
  toChatRequest({ model: 'm', messages: [{ role: 'user', content: [{ type, [type]: { url } }] }] });

test.each([
  'http://169.254.169.254/latest/meta-data',
  'http://localhost:8080/admin.png',
  'http://[::ffff:a00:1]/a.png',
  'file:///etc/passwd',
  'gopher://example.org/',
  'not an address',
])('a picture at %s is refused, unless the owner allows private ones', (url) => {
  for (const type of ['image_url', 'video_url'])
    expect(() => checkLinks(withLink(url, type), false)).toThrow(/^Expected (a public address|http or https|the link)/);
  const web = url.startsWith('http');
  if (web) expect(() => checkLinks(withLink(url), true)).not.toThrow();
  else expect(() => checkLinks(withLink(url), true)).toThrow(/^Expected/);
});

test('pictures on the web and in the request are fine', () => {
  checkLinks(withLink('https://example.org/a.png'), false);
  checkLinks(withLink('data:image/png;base64,AAAA'), false);
});

test('depth is refused and breadth is not a burden', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const deep = `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  expect(() => parseBody(bytes(deep))).toThrow(/levels of nesting/);
  const wide = parseBody(bytes(`{"x":[${'1,'.repeat(1_000_000)}1]}`));
  expect((wide['x'] as unknown[]).length).toBe(1_000_001);
});
