import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  ADDRESS_WORDS,
  formatAddress,
  isWildcard,
  writeLocal,
  writeRemote,
} from '../../src/aggregate/address.ts';
import { KeyTable } from '../../src/aggregate/keyTable.ts';
import { familyOf, toRecord } from './world.ts';

describe('an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80:0:0:0:0:0:0:1', 'fe80::1'],
    ['2001:db8:0:0:0:0:2:0', '2001:db8::2:0'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is written %s', (address, text) => {
    expect(shown(address)).toBe(text);
  });

  it('is the same one when it is read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const before = ipaddr.process(address).toByteArray();
        expect(ipaddr.parse(shown(address)).toByteArray()).toEqual(before);
      }),
    );
  });

  it('is a wildcard where nothing in it is set', () => {
    const wildcards = ['0.0.0.0', '::', '::ffff:0.0.0.0', '0.0.0.1', '128.0.0.0', '::1', '1::', '0:0:1::'];
    expect(wildcards.filter((local) => isWildcard(toRecord({ state: 10, local, localPort: 80 })))).toEqual([
      '0.0.0.0',
      '::',
      '::ffff:0.0.0.0',
    ]);
  });
});

/** Through a key in which the local and the remote address stand side by side: the remote one is shown. */
function shown(address: string): string {
  const family = familyOf(address);
  const words = ADDRESS_WORDS[family];
  const table = new KeyTable(2 * words);
  const record = toRecord({ state: 1, local: address, localPort: 1, remote: address });
  writeLocal(table.key, 0, record);
  writeRemote(table.key, words, record);
  const row = table.upsert();
  expect(formatAddress(table, row, 0, family)).toBe(formatAddress(table, row, words, family));
  return formatAddress(table, row, words, family);
}
