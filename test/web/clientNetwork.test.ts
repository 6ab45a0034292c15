import { describe, expect, it } from 'vitest';
import { clientNetworkOf } from '../../src/web/clientNetwork.ts';

describe('one client', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9'],
    ['fe80::1', 'fe80::2%eth0'],
    [undefined, 'nonsense'],
  ])('is %s and %s', (one, other) => {
    expect(clientNetworkOf(one)).toBe(clientNetworkOf(other));
  });

  it.each([
    ['192.0.2.1', '192.0.2.2'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::1', '127.0.0.1'],
  ])('is not both %s and %s', (one, other) => {
    expect(clientNetworkOf(one)).not.toBe(clientNetworkOf(other));
  });
});
