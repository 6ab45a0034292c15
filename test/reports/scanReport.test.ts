import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printReport } from '../../src/reports/report.ts';
import { type Scan, scanReport } from '../../src/reports/scanReport.ts';
import type { ComparedPort } from '../../src/scan/scanDifferences.ts';
import type { DescribedListener } from '../../src/snapshot/describedListener.ts';
import { expectHarmless, lines, PIPE, terminal } from './reports.ts';

const SSHD: DescribedListener = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 22, family: 4, ipv6Only: false, inEphemeralRange: false },
  ...{ acceptQueue: 0, acceptQueueLimit: 128, dropped: 0, connections: 0 },
  ...{ service: 'ssh', process: '', pid: undefined, user: '', owner: 'ssh.service' },
};

const NAMES = new Map([
  [22, 'ssh'],
  [80, 'http'],
]);

function port(number: number, more: Partial<ComparedPort> = {}): ComparedPort {
  return {
    port: number,
    state: 'open',
    error: undefined,
    listener: undefined,
    difference: undefined,
    ...more,
  };
}

function closed(number: number, more: Partial<ComparedPort> = {}): ComparedPort {
  return port(number, { state: 'closed', error: 'ECONNREFUSED', ...more });
}

function filtered(number: number, more: Partial<ComparedPort> = {}): ComparedPort {
  return port(number, { state: 'filtered', error: 'ETIMEDOUT', ...more });
}

function scan(ports: readonly ComparedPort[], more: Partial<Scan> = {}, isThisHost = true): Scan {
  return {
    target: { host: 'localhost', address: '127.0.0.1', otherAddresses: [], isThisHost },
    ...{ ports, toAsk: ports.length, seconds: 0.123, wasInterrupted: false },
    service: (number) => NAMES.get(number) ?? '',
    ...more,
  };
}

describe('a scan', () => {
  it('of this host is a table of what is not closed, beside who listens', () => {
    const ports = [port(22, { listener: SSHD }), closed(23), closed(24), filtered(80)];
    expect(lines(scanReport(scan(ports)))).toEqual([
      'localhost (127.0.0.1), this host: 4 ports in 0.1 s',
      'Not shown: 2 closed',
      '',
      'PORT  STATE     SERVICE  LISTENER  OWNER        NOTE',
      '  22  open      ssh      0.0.0.0   ssh.service  -',
      '  80  filtered  http     -         -            no answer',
    ]);
  });

  it('of another host has no listeners, and no notes where there are none', () => {
    const target = { host: '192.0.2.1', address: '192.0.2.1', otherAddresses: [], isThisHost: false };
    expect(lines(scanReport(scan([port(22), closed(23)], { target })))).toEqual([
      '192.0.2.1: 2 ports in 0.1 s',
      'Not shown: 1 closed',
      '',
      'PORT  STATE  SERVICE',
      '  22  open   ssh',
    ]);
  });

  it('names the addresses that it left out', () => {
    const target = {
      host: 'web',
      address: '192.0.2.1',
      otherAddresses: ['192.0.2.2', '::1'],
      isThisHost: false,
    };
    expect(lines(scanReport(scan([closed(1)], { target }))).slice(0, 2)).toEqual([
      'web (192.0.2.1): 1 port in 0.1 s',
      'Not scanned: 192.0.2.2, ::1',
    ]);
  });

  it.each([
    [
      port(80, { difference: 'noListener' }),
      'answers without a listener here: NAT or another network namespace',
    ],
    [closed(80, { difference: 'unreachable', listener: SSHD }), 'listens but is unreachable: refused'],
    [closed(80, { difference: 'ipv6Only', listener: SSHD }), 'listens but is unreachable: IPv6 only'],
    [filtered(80, { difference: 'unreachable', listener: SSHD }), 'listens but is unreachable: no answer'],
    [
      filtered(80, { difference: 'unreachable', listener: { ...SSHD, acceptQueue: 129 } }),
      'listens but is unreachable: accept queue full (129/128)',
    ],
    [
      filtered(80, { difference: 'unreachable', error: 'EHOSTUNREACH', listener: SSHD }),
      'listens but is unreachable: host is unreachable (EHOSTUNREACH)',
    ],
    [filtered(80, { error: 'EACCES' }), 'permission denied (EACCES)'],
    [filtered(80, { error: 'E_NEW' }), 'E_NEW'],
  ])('says why: %#', (one, note) => {
    expect(lines(scanReport(scan([one]))).at(-1)).toMatch(
      new RegExp(` {2}${note.replaceAll(/[()]/g, '\\$&')}$`),
    );
  });

  it('counts what a firewall keeps to itself where that is much, but not what listens there', () => {
    const many = Array.from({ length: 26 }, (_, index) => filtered(1000 + index));
    const report = scanReport(scan([...many, filtered(2000, { difference: 'unreachable', listener: SSHD })]));
    expect(lines(report)[1]).toBe('Not shown: 26 filtered');
    expect(lines(report)).toHaveLength(5);
    expect(lines(scanReport(scan(many.slice(1))))[1]).toBe('');
  });

  it('that found all closed is a line', () => {
    expect(lines(scanReport(scan([closed(1), closed(2)])))).toEqual([
      'localhost (127.0.0.1), this host: 2 ports in 0.1 s',
      'Not shown: 2 closed',
    ]);
  });

  it('ends with 0, and with what Ctrl-C leaves where that cut it short', () => {
    expect(scanReport(scan([filtered(1, { difference: 'unreachable', listener: SSHD })])).exitCode).toBe(0);
    const short = scanReport(scan([closed(1)], { toAsk: 10, wasInterrupted: true }));
    expect([lines(short)[0], short.exitCode]).toEqual([
      'localhost (127.0.0.1), this host: interrupted after 1 of 10 ports in 0.1 s',
      130,
    ]);
  });

  it('tells a program of every port', () => {
    const ports = [port(22, { listener: SSHD }), closed(23), filtered(80, { error: 'EACCES' })];
    expect(JSON.parse(printReport(scanReport(scan(ports)), true, PIPE))).toEqual({
      ...{ host: 'localhost', address: '127.0.0.1', otherAddresses: [], isThisHost: true },
      ...{ seconds: 0.123, interrupted: false, counts: { open: 1, closed: 1, filtered: 1 } },
      ports: [
        {
          ...{ port: 22, state: 'open', service: 'ssh' },
          listener: { address: '0.0.0.0', owner: 'ssh.service' },
        },
        { port: 23, state: 'closed', error: 'ECONNREFUSED' },
        { port: 80, state: 'filtered', error: 'EACCES', service: 'http' },
      ],
    });
  });

  it('fits its terminal and is harmless, whatever strangers are called', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 40, max: 120 }), (host, owner, service, columns) => {
        const listener = { ...SSHD, owner };
        const ports = [port(22, { listener }), filtered(80, { difference: 'unreachable', listener })];
        const target = { host, address: '127.0.0.1', otherAddresses: ['::1'], isThisHost: true };
        const on = terminal(columns, true);
        expectHarmless(scanReport(scan(ports, { target, service: () => service })).text(on), on);
      }),
      { numRuns: 50 },
    );
  });
});
