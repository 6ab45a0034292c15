import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { findScanTarget, plainAddress } from '../../src/scan/scanTarget.ts';

describe('whom to scan', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.9.9.9', '127.9.9.9', true],
    ['::1', '::1', true],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.1', true],
    // connect() to no address in particular stays here.
    ['0.0.0.0', '127.0.0.1', true],
    ['::', '::1', true],
    ['192.0.2.1', '192.0.2.1', false],
    ['2001:db8::1', '2001:db8::1', false],
  ])('%s is %s; this host: %s', async (host, address, isThisHost) => {
    expect(await findScanTarget(host, address.includes(':'))).toEqual({
      ...{ host, address, otherAddresses: [], isThisHost },
    });
    // An address is its own family, asked for or not.
    expect((await findScanTarget(host, false)).address).toBe(address);
  });

  it('of localhost is its IPv4 address', async () => {
    expect(await findScanTarget('localhost', false)).toMatchObject({
      address: '127.0.0.1',
      isThisHost: true,
    });
  });

  it('each address of an interface is this host', async () => {
    const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
    expect(own.length).toBeGreaterThan(0);
    for (const address of own) expect((await findScanTarget(address, false)).isThisHost).toBe(true);
  });

  it.each([
    ['127.0.0.1', true, /^"127\.0\.0\.1" has no IPv6 address$/],
    ['', false, /^"" has no address$/],
    ['nobody.invalid', false, /^resolving "nobody\.invalid"$/],
  ])('%j, IPv6 %s, is nobody', async (host, wantsIpv6, line) => {
    const failure = await findScanTarget(host, wantsIpv6).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(ExporterError);
    expect((failure as Error).message).toMatch(line);
  });

  it('is compared as the listener table writes it', () => {
    expect(['fe80::1%eth0', '::ffff:10.0.0.1', '2001:DB8:0::1'].map(plainAddress)).toEqual([
      ...['fe80::1', '10.0.0.1', '2001:db8::1'],
    ]);
  });
});
