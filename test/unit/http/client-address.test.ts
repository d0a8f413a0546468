import Fastify from 'fastify';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clientAddress, countedAddress, forwardedClientAddress } from '../../../src/http/client-address.ts';
import { trustedProxies } from '../../../src/http/trusted-proxies.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:5678', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0000::1', '2001:db8:0:0::/64'],
  ['[2001:db8:1:2:3:4:5:6]:443', '2001:db8:1:2::/64'],
  ['[2001:db8::]', '2001:db8:0:0::/64'],
  ['"192.0.2.1"', '192.0.2.1'],
  ['"[2001:db8::1]:443"', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['fe80::1%-.:', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1::', '1:0:0:0::/64'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
])('%s counts as %s', (address, counted) => {
  expect(countedAddress(address)).toBe(counted);
});

test.each([
  '',
  'unknown',
  '_hidden',
  'localhost',
  '192.0.2',
  '192.0.2.1.5',
  '192.0.2.1:',
  '[192.0.2.1',
  ':::',
  '[]:1',
  '"192.0.2.1',
  '""192.0.2.1""',
])('%o is not an address', (text) => {
  expect(countedAddress(text)).toBeUndefined();
});

function joined(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}

test('all addresses of a /64 count as one, and addresses of another /64 as another', () => {
  const half = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(half, half, half, (network, one, other) => {
      const counted = countedAddress(`${joined(network)}:${joined(one)}`);
      expect(countedAddress(`${joined(network)}:${joined(other)}`)).toBe(counted);
      const neighbour = [...network.slice(0, 3), (network[3] ?? 0) ^ 1];
      expect(countedAddress(`${joined(neighbour)}:${joined(one)}`)).not.toBe(counted);
    }),
  );
});

test('the result is short for any input', () => {
  const parts = fc.constantFrom(':', '::', '.', '%', '/', '0', '00', 'ffff', '1', '2001', '192.0.2.1', 'g');
  const nearly = fc.array(parts, { maxLength: 16 }).map((list) => list.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), nearly), (address) => {
      expect((countedAddress(address) ?? '').length).toBeLessThan(30);
    }),
    { numRuns: 5_000 },
  );
});

test('X-Forwarded-For is read as Fastify reads it', async () => {
  const trusts = trustedProxies(['10.0.0.0/8', '::1']);
  const app = Fastify({ trustProxy: trusts });
  app.get('/', (request) => clientAddress(request));
  const entry = fc.oneof(
    fc.constantFrom('10.1.2.3', '10.1.2.3:80', '"10.1.2.3"', '::1', '[::1]:9', '', ' ', '\t', '10.1.2.3 x'),
    fc.ipV4(),
    fc.ipV6(),
  );
  const separator = fc.constantFrom(',', ', ', ' ,\t', ',,');
  const forwardedFor = fc
    .array(fc.tuple(entry, separator), { maxLength: 6 })
    .map((parts) => parts.flat().slice(0, -1).join(''));
  const remote = fc.constantFrom('10.9.9.9', '::1', '::ffff:10.9.9.9', '192.0.2.1', '2001:db8::1');
  await fc.assert(
    fc.asyncProperty(remote, fc.option(forwardedFor, { nil: undefined }), async (remoteAddress, text) => {
      const headers = text === undefined ? {} : { 'x-forwarded-for': text };
      const { body } = await app.inject({ url: '/', remoteAddress, headers });
      expect(forwardedClientAddress(remoteAddress, text, trusts)).toBe(body);
    }),
    { numRuns: 500 },
  );
});
