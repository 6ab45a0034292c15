import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { formatListenAddress, parseListenAddress } from '../../src/web/listenAddress.ts';

describe('a listen address', () => {
  it.each([
    [':10069', { port: 10_069 }],
    [':0', { port: 0 }],
    ['127.0.0.1:10069', { host: '127.0.0.1', port: 10_069 }],
    ['[::1]:10069', { host: '::1', port: 10_069 }],
    ['[::]:65535', { host: '::', port: 65_535 }],
    ['[fe80::1%eth0]:80', { host: 'fe80::1%eth0', port: 80 }],
    ['localhost:10069', { host: 'localhost', port: 10_069 }],
    ['node-1.example.org:10069', { host: 'node-1.example.org', port: 10_069 }],
  ])('%s is %j and is written the same', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(formatListenAddress(address)).toBe(text);
  });

  it.each([
    '',
    '10069',
    'localhost',
    'localhost:',
    ':65536',
    ':100000',
    ':-1',
    ':1e3',
    ': 80',
    '::1:10069',
    '[]:80',
    '[127.0.0.1]:80',
    '[::1]',
    '[::g]:80',
    '256.0.0.1:80',
    '1.2.3:80',
    'a b:80',
    '*:80',
    'http://localhost:80',
    ':80\n',
  ])('is not %j, which is shown in one line with what was expected', (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      new ExporterError(
        `invalid listen address ${JSON.stringify(text)}: expected :PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535`,
      ),
    );
  });

  it('of vsock, which exporter-toolkit knows, is refused by name', () => {
    expect(() => parseListenAddress('vsock://:9100')).toThrow(
      new ExporterError(
        'invalid listen address "vsock://:9100": vsock is not supported: expected :PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535',
      ),
    );
  });

  it('is read back as it was written', () => {
    const host = fc.oneof(
      fc.constant(undefined),
      fc.ipV4(),
      fc.ipV6(),
      fc.constant('localhost'),
      fc.domain(),
    );
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        const address = name === undefined ? { port } : { host: name, port };
        expect(parseListenAddress(formatListenAddress(address))).toEqual(address);
      }),
    );
  });

  it('is an address or an ExporterError, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]:.0-9a-f]{0,20}$/)), (text) => {
        try {
          expect(parseListenAddress(text).port).toBeLessThanOrEqual(65_535);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
        }
      }),
    );
  });
});
