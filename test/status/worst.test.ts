import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { leastRatioOf, levelOf, THRESHOLDS } from '../../src/status/level.ts';
import type { RegimeStatus } from '../../src/status/regimes.ts';
import { nearnessOf, type WorstRegime, worstOf } from '../../src/status/worst.ts';

function regime(
  protocol: 'tcp' | 'udp',
  scope: 'connect' | 'bind',
  ratio: number,
  { isCalled = scope === 'connect', isEstimated = false } = {},
): WorstRegime {
  const available = Math.round(1000 * (1 - ratio));
  const numbers = {
    ratio,
    available,
    usable: 1000,
    isEstimated,
    peak: undefined,
    worst: { kind: 'any' },
  } as const;
  return { protocol, scope, error: '', isCalled, numbers };
}

const nameOf = (worst: WorstRegime | undefined) => worst && `${worst.protocol} ${worst.scope}`;
const UDP: readonly RegimeStatus[] = [regime('udp', 'connect', 0.01), regime('udp', 'bind', 0.01)];

describe('the worst of four calls', () => {
  it.each([
    // One source address: every connection's port is taken from bind(), too, and applications get EADDRNOTAVAIL.
    ['connect() leads where nobody is known to call bind(address, 0)', 0.887, 1, false, 'tcp connect'],
    ['connect() leads where bind() is no worse', 0.9, 0.9, true, 'tcp connect'],
    ['connect() leads where bind() is hardly worse', 0.6, 0.65, true, 'tcp connect'],
    ['bind() leads where it is called and of a worse level', 0.79, 0.81, true, 'tcp bind'],
    ['bind() leads where it is called and clearly worse', 0.1, 0.3, true, 'tcp bind'],
  ])('%s', (_, connect, bind, isCalled, expected) => {
    const regimes = [regime('tcp', 'connect', connect), regime('tcp', 'bind', bind, { isCalled }), ...UDP];
    expect(nameOf(worstOf(regimes))).toBe(expected);
  });

  it('is that of UDP where it is higher', () => {
    expect(nameOf(worstOf([regime('tcp', 'connect', 0.2), regime('udp', 'connect', 0.3)]))).toBe(
      'udp connect',
    );
  });

  it('is unknown where none is known', () => {
    expect(
      worstOf([{ protocol: 'tcp', scope: 'connect', error: '', isCalled: true, numbers: undefined }]),
    ).toBe(undefined);
  });
});

describe('the worst of namespaces', () => {
  const measured = (ratio: number) => nearnessOf(regime('tcp', 'connect', ratio));
  const bounded = (ratio: number) => nearnessOf(regime('tcp', 'connect', ratio, { isEstimated: true }));

  it('is one that was measured near, whatever another may be at most', () => {
    expect(measured(0.887)).toBeGreaterThan(bounded(1));
    expect(measured(0.8)).toBeGreaterThan(bounded(1));
  });

  it('is one that may be near, where none was measured so', () => {
    expect(bounded(0.96)).toBeGreaterThan(measured(0.7));
    expect(bounded(1)).toBeGreaterThan(bounded(0.9));
  });

  it('is the measured one of the same level', () => {
    expect(measured(0.51)).toBeGreaterThan(bounded(0.7));
    expect(measured(0)).toBeGreaterThan(bounded(0.4));
    expect(nearnessOf(undefined)).toBeLessThan(bounded(0));
  });
});

describe('the levels', () => {
  it('have each ratio once, and are what bars show', () => {
    expect(THRESHOLDS).toEqual([leastRatioOf('half'), leastRatioOf('near'), leastRatioOf('imminent')]);
    expect(THRESHOLDS.map(levelOf)).toEqual(['half', 'near', 'imminent']);
    expect([levelOf(0), levelOf(0.999), levelOf(1)]).toEqual(['ok', 'imminent', 'exhausted']);
  });

  it.each([
    ['PortExhaustionImminent', 'imminent'],
    ['PortExhaustionNear', 'near'],
    ['PortUdpExhaustionImminent', 'imminent'],
    ['PortUdpRunningOut', 'near'],
    ['PortConnectSlow', 'half'],
    ['PortExhaustionPredicted', 'half'],
    ['PortBindRunningOut', 'imminent'],
    ['PortExhausted', 'exhausted'],
  ] as const)('are those that alerts stand on: %s', (alert, level) => {
    const rules = readFileSync(new URL('../../deploy/prometheus/rules.yml', import.meta.url), 'utf8');
    const [, rule = ''] = rules.split(`- alert: ${alert}\n`);
    const [expression = ''] = rule.split('labels:');
    expect(expression).toMatch(new RegExp(`>=? ${String(leastRatioOf(level)).replace('.', '\\.')}\\b`));
  });
});
