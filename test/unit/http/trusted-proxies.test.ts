import { expect, test } from 'vitest';
import { trustedProxies } from '../../../src/http/trusted-proxies.ts';

const trusts = trustedProxies([
  '192.0.2.1',
  '10.0.0.0/8',
  '2001:db8::1',
  'fd00::/8',
  '::ffff:172.16.0.0/108',
  '::ffff:198.51.100.7',
]);

test.each([
  '192.0.2.1',
  '10.1.2.3',
  '2001:db8::1',
  '2001:0DB8:0:0::1',
  'fd12::1',
  // An IPv4 peer of a dual-stack socket.
  '::ffff:10.1.2.3',
  '::FFFF:192.0.2.1',
  // Addresses of networks that are given as IPv4-mapped IPv6.
  '172.16.1.1',
  '198.51.100.7',
  // An address with the port that some proxies add.
  '10.1.2.3:51324',
  '[fd12::1]:443',
  '[2001:db8::1]',
  '"10.1.2.3"',
  '"[fd12::1]:443"',
])('%s is trusted', (address) => {
  expect(trusts(address)).toBe(true);
});

test.each([
  '192.0.2.2',
  '11.0.0.1',
  '2001:db8::2',
  'fe00::1',
  '::ffff:11.0.0.1',
  '',
  'unknown',
  '11.1.2.3:80',
  '[2001:db8::2]:443',
  '10.1.2.3:',
  '10.1.2.3:80:80',
  '"10.1.2.3',
])('%o is not trusted', (address) => {
  expect(trusts(address)).toBe(false);
});
