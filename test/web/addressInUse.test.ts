import { describe, expect, it } from 'vitest';
import { holdersOf } from '../../src/web/addressInUse.ts';
import { parseListenAddress } from '../../src/web/listenAddress.ts';
import { WEB } from '../reports/samples.ts';

const at = (address: string, more: Partial<typeof WEB> = {}) => ({
  ...WEB,
  ...{ address, family: address.includes(':') ? (6 as const) : (4 as const) },
  ...more,
});
const holders = (wanted: string, ...listeners: (typeof WEB)[]) =>
  holdersOf(parseListenAddress(wanted), listeners);

describe('who holds an address', () => {
  it.each([
    [':80', '0.0.0.0', true],
    [':80', '127.0.0.1', true],
    [':80', '::1', true],
    ['0.0.0.0:80', '::', true],
    ['0.0.0.0:80', '::1', false],
    ['[::]:80', '127.0.0.1', true],
    ['127.0.0.1:80', '127.0.0.1', true],
    ['127.0.0.1:80', '0.0.0.0', true],
    ['127.0.0.1:80', '::', true],
    ['127.0.0.1:80', '127.0.0.2', false],
    ['127.0.0.1:80', '::1', false],
    ['[::1]:80', '::1', true],
    ['[::1]:80', '::', true],
    ['[0:0::1]:80', '::1', true],
    ['[::1]:80', '0.0.0.0', false],
    ['localhost:80', '127.0.0.1', true],
    [':81', '0.0.0.0', false],
  ])('%s: a listener on %s does → %s', (wanted, address, does) => {
    expect(holders(wanted, at(address))).toBe(does ? 'nginx/812 of nginx.service' : undefined);
  });

  it('is no listener on :: of IPv6 alone where the address is one of IPv4', () => {
    expect(holders('127.0.0.1:80', at('::', { ipv6Only: true }))).toBeUndefined();
  });

  it('is told as far as it is known', () => {
    expect(holders(':80', at('::', { pid: undefined }))).toBe('nginx.service');
    expect(holders(':80', at('::', { owner: '/' }))).toBe('nginx/812');
    expect(holders(':80', at('::', { pid: undefined, owner: '' }))).toBeUndefined();
    expect(holders(':80', at('::', { protocol: 'udp' }))).toBeUndefined();
  });

  it('are several, each once, and no more than a line can name', () => {
    const pids = [1, 2, 2, 3, 4].map((pid) => at('127.0.0.1', { pid, owner: '' }));
    expect(holders(':80', ...pids)).toBe('nginx/1, nginx/2, nginx/3');
  });
});
