import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parseServices, readServices, servicePort } from '../../src/owners/services.ts';
import { cpuMs } from '../support/cpu.ts';

const FIXTURE = new URL('../fixtures/owners/services', import.meta.url).pathname;

describe('/etc/services', () => {
  const services = readServices(FIXTURE);

  it.each([
    [22, 'tcp', 'ssh'],
    [53, 'tcp', 'domain'],
    [53, 'udp', 'domain'],
    [80, 'tcp', 'http'],
    [88, 'udp', 'kerberos'],
    [443, 'tcp', 'https'],
    [443, 'udp', 'https'],
    [3306, 'tcp', 'mysql'],
    [5432, 'tcp', 'postgresql'],
    [9, 'tcp', 'discard'],
    [1009, 'tcp', 'n'.repeat(64)],
    [1011, 'tcp', 'quote"back\\slash'],
    [65_535, 'udp', 'last'],
  ] as const)('calls port %i/%s %s', (port, protocol, name) => {
    expect(services.name(port, protocol)).toBe(name);
  });

  it.each([
    [22, 'udp', 'the other protocol'],
    [88, 'tcp', 'the other protocol'],
    [9, 'udp', 'sctp'],
    [0, 'tcp', 'port 0'],
    [65_536, 'tcp', 'a port too large'],
    [10, 'tcp', 'no whole number'],
    [80, 'udp', 'hexadecimal'],
    [1001, 'tcp', 'invalid UTF-8'],
    [1002, 'tcp', 'not ASCII'],
    [1003, 'tcp', 'a terminal escape'],
    [1004, 'tcp', 'no protocol'],
    [1005, 'tcp', 'an empty protocol'],
    [1006, 'tcp', 'no name'],
    [1007, 'tcp', 'an unknown protocol'],
    [1008, 'tcp', 'an unknown protocol'],
    [1010, 'tcp', 'a name too long'],
  ] as const)('has no name for %i/%s: %s', (port, protocol, _reason) => {
    expect(services.name(port, protocol)).toBe('');
  });

  it('is not missing', () => {
    expect(services.missing).toBeUndefined();
  });
});

describe('the port of a service', () => {
  it.each([
    ['ssh', 'tcp', 22],
    ['www', 'tcp', 80],
    ['www-http', 'tcp', 80],
    ['krb5', 'udp', 88],
    ['null', 'tcp', 9],
    ['krb5', 'tcp', undefined],
    ['#', 'tcp', undefined],
    ['Domain', 'tcp', undefined],
    ['', 'tcp', undefined],
  ] as const)('%s/%s is %s', (name, protocol, port) => {
    expect(servicePort(name, protocol, FIXTURE)).toBe(port);
  });

  it('is not known without the file', () => {
    expect(servicePort('ssh', 'tcp', `${FIXTURE}.gone`)).toBeUndefined();
  });
});

describe('a file that is not there or not readable', () => {
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-services-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('names nothing, and says why', () => {
    const services = readServices(join(directory, 'services'));
    expect(services.missing).toMatch(/^reading the service names: ENOENT: .*services'$/);
    expect(services.name(22, 'tcp')).toBe('');
    expect(readServices(directory).missing).toMatch(/^reading the service names: EISDIR/);
  });

  it('is read up to a limit', () => {
    const path = join(directory, 'long');
    writeFileSync(path, 'ssh 22/tcp\n');
    truncateSync(path, 1024 ** 3);
    expect(readServices(path).name(22, 'tcp')).toBe('ssh');
  });
});

it('survives any bytes, and gives out printable names only', () => {
  const line = fc
    .tuple(
      fc.uint8Array({ maxLength: 70 }),
      fc.integer({ min: 0, max: 70_000 }),
      fc.constantFrom('tcp', 'udp'),
    )
    .map(([name, port, protocol]) => Buffer.concat([name, Buffer.from(` ${port}/${protocol}\n`)]));
  const file = fc
    .array(fc.oneof(line, fc.uint8Array()), { maxLength: 20 })
    .map((lines) => Buffer.concat(lines));
  fc.assert(
    fc.property(file, fc.integer({ min: 0, max: 70_000 }), (bytes, anyPort) => {
      const services = parseServices(bytes);
      const ports = [...bytes.toString('latin1').matchAll(/(\d+)\//g)].map(([, port]) => Number(port));
      for (const port of [...ports, anyPort]) {
        for (const protocol of ['tcp', 'udp'] as const) {
          expect(services.name(port, protocol)).toMatch(/^[!-~]{0,64}$/);
        }
      }
    }),
  );
});

it('needs no time for a line of any length', () => {
  const bytes = Buffer.from(
    `${'a '.repeat(500_000)}\n${' '.repeat(1_000_000)}\n${'1'.repeat(1_000_000)}\nssh 22/tcp\n`,
  );
  expect(cpuMs(() => expect(parseServices(bytes).name(22, 'tcp')).toBe('ssh'))).toBeLessThan(1000);
});

it('reads no more lines than there may be services', () => {
  expect(parseServices(Buffer.from(`${'\n'.repeat(100_000)}ssh 22/tcp`)).name(22, 'tcp')).toBe('ssh');
  const far = parseServices(Buffer.from(`dns 53/udp${'\n'.repeat(200_000)}ssh 22/tcp`));
  expect([far.name(53, 'udp'), far.name(22, 'tcp')]).toEqual(['dns', '']);
});
