import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_REFUSED, NEAR_RATIO, NEAR_TABLE_RATIO, natLevelOf, natOf } from '../../src/status/snat.ts';
import { type Led, leadOf, urgencyOf, worstNamespace } from '../../src/status/worst.ts';
import { RICH_NAMESPACE, withResults } from '../metrics/snapshots.ts';
import { destinationOf, natNamespace, tableOf } from './snat.ts';

describe('the level of a NAT', () => {
  it.each([
    ['is ok up to half of the range', 0.5, 0, 'ok'],
    ['is near above', 0.501, 0, 'near'],
    ['is near as long as no more than 1 % of new packets are refused', 0.9, 0.01, 'near'],
    ['is exhausted above, however few ports are used', 0.3, 0.011, 'exhausted'],
    ['is near where the kernel gives ports of closing connections to new ones', 1, 0, 'near'],
  ] as const)('%s', (_, ratio, refusalRatio, expected) => {
    expect(natLevelOf({ ratio, refusalRatio })).toBe(expected);
  });
});

describe('the levels of NATs and tables', () => {
  it.each([
    ['PortSnatRefusing', MOST_REFUSED],
    ['PortSnatRunningOut', NEAR_RATIO],
    ['PortConntrackTableNearLimit', NEAR_TABLE_RATIO],
  ] as const)('are those that alerts stand on: %s', (alert, threshold) => {
    const rules = readFileSync(new URL('../../deploy/prometheus/rules.yml', import.meta.url), 'utf8');
    const [, rule = ''] = rules.split(`- alert: ${alert}\n`);
    expect(/^\s+expr: .* > (\S+)$/m.exec(rule)?.[1]).toBe(String(threshold));
  });
});

describe('the table of connections', () => {
  it.each([
    ['is ok', 900, 1000, 'ok', 0.9],
    ['is near above 90 %', 901, 1000, 'near', 0.901],
    ['is full at its limit', 1000, 1000, 'exhausted', 1],
    ['is full beyond it', 1003, 1000, 'exhausted', 1],
    ['is ok without a limit', 1_000_000, undefined, 'ok', undefined],
  ] as const)('%s', (_, entries, limit, level, ratio) => {
    const namespace = withResults(RICH_NAMESPACE, { snat: undefined, conntrack: tableOf(entries, limit) });
    expect(natOf(namespace)?.table).toEqual({ entries, limit, ratio, level });
  });

  it('is known where no connection is translated, and where sockets are not read', () => {
    const { conntrack } = RICH_NAMESPACE.results;
    expect(natOf({ results: { conntrack } })?.worst).toMatchObject({ kind: 'table', level: 'ok' });
    expect(natOf({ results: {} })).toBe(undefined);
  });
});

describe('the worst of a NAT', () => {
  it('is the destination that most packets are refused to, and not the fullest', () => {
    const fullest = destinationOf({ ratio: 0.7, refusalRatio: 0.02 });
    const refusing = destinationOf({ ratio: 0.6, refusalRatio: 0.4, remoteAddress: '192.0.2.9' });
    expect(natOf(natNamespace('host', [fullest, refusing]))?.worst).toMatchObject({
      ...{ kind: 'ports', level: 'exhausted', protocol: 'tcp', refusalRatio: 0.4 },
      destination: { remoteAddress: '192.0.2.9' },
    });
  });

  it('is the fullest destination where none is refused', () => {
    const [some, more] = [destinationOf({ ratio: 0.6, remotePort: 1 }), destinationOf({ ratio: 0.7 })];
    expect(natOf(natNamespace('host', [some, more]))?.worst).toMatchObject({
      ...{ level: 'near', ratio: 0.7, available: more.available, destination: { remotePort: 443 } },
    });
  });

  it('has the ports left of its own destination, where another one has a smaller range', () => {
    const fullest = destinationOf({ ratio: 0.8 });
    const small = destinationOf({ ratio: 0.7, available: 3, natAddress: '198.51.100.2' });
    expect(natOf(natNamespace('host', [fullest, small]))?.worst).toMatchObject({
      ...{ ratio: 0.8, available: 200, destination: { natAddress: '198.51.100.1' } },
    });
  });

  it('is that of the protocol which loses more', () => {
    const tcp = destinationOf({ ratio: 0.9, refusalRatio: 0.02 });
    const udp = destinationOf({ ratio: 0.8, refusalRatio: 0.3, protocol: 'udp' });
    expect(natOf(natNamespace('host', [tcp, udp]))?.worst).toMatchObject({ protocol: 'udp' });
  });

  it('has no destination where limits leave that out', () => {
    const all = natNamespace('host', [destinationOf({ ratio: 0.9, refusalRatio: 0.5 })]);
    const { snat } = all.results;
    if (snat === undefined) throw new Error('no NAT');
    const cut = withResults(RICH_NAMESPACE, { snat: { ...snat, destinations: { total: 1, fullest: [] } } });
    expect(natOf(cut)?.worst).toMatchObject({ level: 'exhausted', destination: undefined });
  });

  it('is the table where both lose packets', () => {
    const refused = destinationOf({ ratio: 1, refusalRatio: 1 });
    expect(natOf(natNamespace('host', [refused], tableOf(5000, 5000)))?.worst).toMatchObject({
      kind: 'table',
    });
    expect(natOf(natNamespace('host', [refused], tableOf(4999, 5000)))?.worst).toMatchObject({
      kind: 'ports',
    });
  });
});

describe('what leads', () => {
  const rowOf = (namespace: ReturnType<typeof natNamespace>, ratio: number, isEstimated = false): Led => ({
    nat: natOf(namespace),
    worst: {
      ...{ protocol: 'tcp', scope: 'connect', error: 'EADDRNOTAVAIL', isCalled: true },
      numbers: { ratio, available: 5, usable: 100, isEstimated, peak: undefined, worst: { kind: 'any' } },
    },
  });
  const losing = natNamespace('host', [destinationOf({ ratio: 0.6, refusalRatio: 0.02 })]);
  const near = natNamespace('host', [destinationOf({ ratio: 0.6 })]);
  const calm = natNamespace('host', [destinationOf({ ratio: 0.4 })]);

  it.each([
    ['a NAT that loses packets before calls that succeed', losing, 0.97, false, 'nat'],
    ['calls that fail before a NAT that loses packets', losing, 1, false, 'call'],
    ['a NAT that loses packets before calls that may fail', losing, 1, true, 'nat'],
    ['a NAT that is near before calls that are not', near, 0.7, false, 'nat'],
    ['calls that are near before a NAT that is', near, 0.8, false, 'call'],
    ['calls before a NAT that is not near', calm, 0, false, 'call'],
    ['calls that are estimated before a NAT that is not near', calm, 0, true, 'call'],
  ] as const)('is %s', (_, namespace, ratio, isEstimated, expected) => {
    expect(leadOf(rowOf(namespace, ratio, isEstimated))?.kind).toBe(expected);
  });

  it('is never calls that are ok while a NAT loses packets, of whatever namespace', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ratio: fc.double({ min: 0, max: 1, noNaN: true }) }), { maxLength: 4 }),
        fc.double({ min: 0.010_001, max: 1, noNaN: true }),
        (others, refusalRatio) => {
          const lost = natNamespace('router', [destinationOf({ ratio: 0.3, refusalRatio })]);
          const calm = others.map(({ ratio }, index) =>
            natNamespace(`n${index}`, [destinationOf({ ratio, refusalRatio: 0 })]),
          );
          const found = worstNamespace([...calm, lost]);
          expect(found).toMatchObject({
            netns: 'router',
            lead: { kind: 'nat', nat: { level: 'exhausted' } },
          });
        },
      ),
    );
  });

  it('puts the namespace that loses packets before all that lose none', () => {
    const rows = [rowOf(calm, 0.97), rowOf(near, 0.5), rowOf(losing, 0)];
    const sorted = rows.toSorted((a, b) => urgencyOf(b) - urgencyOf(a));
    expect(sorted[0]).toBe(rows[2]);
  });

  it('is the NAT where nothing else is known', () => {
    expect(leadOf({ worst: undefined, nat: natOf(losing) })?.kind).toBe('nat');
    expect(leadOf({ worst: undefined, nat: natOf(calm) })).toBe(undefined);
    expect(leadOf({ worst: undefined, nat: undefined })).toBe(undefined);
  });
});
