// Which machine an address means, as far as its text tells: names are not resolved. Numbers in other bases and IPv4 inside IPv6 are
// seen through.
import { BlockList, isIP } from 'node:net';

export type AddressKind = 'public' | 'private' | 'loopback' | 'metadata';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');
linkLocal.addAddress('100.100.100.200', 'ipv4');

const inner = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(net, bits, 'ipv4');
inner.addAddress('::', 'ipv6');
inner.addSubnet('fc00::', 7, 'ipv6');
inner.addSubnet('ff00::', 8, 'ipv6');

/**
 * What the host of a URL is.
 * @example
 * kindOfHost(new URL('http://[::ffff:10.0.0.1]/')); // 'private'
 */
export function kindOfHost({ hostname }: URL): AddressKind {
  const host = hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const version = isIP(host);
  if (version === 0) {
    if (host === 'localhost' || host.endsWith('.localhost')) return 'loopback';
    if (/^metadata(\.|$)/.test(host) || host === 'instance-data') return 'metadata';
    return /\.(internal|local|lan|home\.arpa)$/.test(host) || !host.includes('.') ? 'private' : 'public';
  }
  const mapped = version === 6 ? innerIpv4(host) : undefined;
  const address = mapped ?? host;
  const family = version === 6 && mapped === undefined ? 'ipv6' : 'ipv4';
  if (linkLocal.check(address, family)) return 'metadata';
  if (loopback.check(address, family)) return 'loopback';
  return inner.check(address, family) ? 'private' : 'public';
}

/** The IPv4 address inside an IPv6 one (mapped, or behind the translation prefix 64:ff9b::). */
function innerIpv4(host: string): string | undefined {
  const match = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (match === null) return undefined;
  const [high, low] = [parseInt(match[1]!, 16), parseInt(match[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
