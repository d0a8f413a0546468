import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countedAddress } from '../../../src/http/client-address.ts';

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
])('%o is no address', (text) => {
  expect(countedAddress(text)).toBeUndefined();
});

function joined(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}

test('all addresses of a /64 count as one, and those of another as another', () => {
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

test('whatever is given, the answer is short', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (address) => {
      expect((countedAddress(address) ?? '').length).toBeLessThan(30);
    }),
  );
});
