import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SnatExplained } from '../../src/aggregate/snatHolders.ts';
import { snatRemedies } from '../../src/reports/snatRemedies.ts';
import { EXPLAINED, TRACKED } from './snatSamples.ts';

/** What each would free; null for what frees no port. */
function remedies(more: Partial<SnatExplained> = {}, tracked: Partial<typeof TRACKED> = {}) {
  const told = snatRemedies({ ...EXPLAINED, ...more }, { ...TRACKED, ...tracked });
  return told.map(({ remedy, freesPorts = null }) => [remedy, freesPorts]);
}

describe('the remedies behind a NAT', () => {
  it('are each told with what they free, first those that free no port', () => {
    expect(remedies()).toEqual([
      ['fullyRandom', null],
      ['widerRange', 63_512],
      ['moreNatAddresses', 1000],
      ['moreDestinations', 1000],
      ['reuseConnections', 690],
      ['shorterTimeWait', 650],
      ['closeConnections', 150],
      ['shorterTimeWait', 100],
      ['closeConnections', 49],
    ]);
  });

  it('scatter ports only where the rule keeps them, packets are dropped, and far fewer would be', () => {
    const scatters = (more: Partial<SnatExplained>) =>
      remedies(more).some(([remedy]) => remedy === 'fullyRandom');
    expect(scatters({ kept: 0 })).toBe(false);
    expect(scatters({ kept: 78 })).toBe(false);
    expect(scatters({ kept: 79 })).toBe(true);
    expect(scatters({ refusalRatio: 0.0004 })).toBe(false);
    expect(scatters({ spreadRefusalRatio: 0.3 })).toBe(false);
    const [first] = snatRemedies({ ...EXPLAINED, spreadRefusalRatio: 0.021 }, TRACKED);
    expect(first).toMatchObject({ refusalRatio: 0.021 });
    expect(first?.action).toMatch(/2\.1 % of new packets at best, instead of 44\.8 %$/);
  });

  it('of a range that is the widest there is are no wider one', () => {
    expect(remedies({ availableOutside: 0 }).map(([remedy]) => remedy)).not.toContain('widerRange');
  });

  it('shorten TIME_WAIT by what would be gone already, and never to more than it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(120), { maxLength: 50 }),
        fc.integer({ min: 1, max: 120 }),
        (ages, timeWaitSeconds) => {
          const closed = ages.filter((age) => age < timeWaitSeconds);
          const timeWaitSecondsLeft = closed.map((age) => timeWaitSeconds - age);
          const told = remedies({ timeWaitSecondsLeft }, { timeWaitSeconds });
          const shorter = told.filter(([remedy]) => remedy === 'shorterTimeWait').map(([, frees]) => frees);
          const expected = [60, 30]
            .filter((seconds) => seconds < timeWaitSeconds)
            .map((seconds) => closed.filter((age) => age >= seconds).length)
            .filter((count) => count > 0);
          expect(shorter.toSorted()).toEqual(expected.toSorted());
        },
      ),
    );
    expect(
      snatRemedies(EXPLAINED, { entries: 1, limit: undefined, timeWaitSeconds: undefined }),
    ).not.toContainEqual(expect.objectContaining({ remedy: 'shorterTimeWait' }));
  });

  it('of UDP are sockets that are used again: one for each client stays', () => {
    const told = remedies({ protocol: 'udp', closing: 0, timeWaitSecondsLeft: [] });
    expect(told).toContainEqual(['reuseSockets', 790 + 109 - 2]);
    expect(told.map(([remedy]) => remedy)).not.toContain('closeConnections');
  });

  it('raise the limit of a table that is nearly full', () => {
    expect(remedies({}, { entries: 235_929 })[0]).toEqual(['fullyRandom', null]);
    expect(remedies({}, { entries: 235_930 })[0]).toEqual(['biggerTable', null]);
  });
});
