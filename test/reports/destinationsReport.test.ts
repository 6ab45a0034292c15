import { describe, expect, it } from 'vitest';
import {
  DESTINATION_SORT_KEYS,
  type DESTINATION_STATES,
  sortDestinations,
} from '../../src/reports/destinationsReport.ts';
import type { DestinationOwner } from '../../src/snapshot/owners.ts';
import { lines } from './reports.ts';
import { DESTINATION, destinations, json, OWNERS, row } from './samples.ts';

describe('the fullest destinations', () => {
  it('are a table with who holds what', () => {
    const ipv6 = { ...DESTINATION, localAddress: '2001:db8::1', remoteAddress: '2001:db8::2' };
    const rows = [DESTINATION, ipv6].map((destination) => row({ destination }));
    expect(lines(destinations(rows, 3))).toEqual([
      'FROM         TO                 ESTAB  TIME-WAIT  OTHER  REUSABLE  LEFT    USED  OWNERS',
      '192.0.2.10   203.0.113.7:443       22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '2001:db8::1  [2001:db8::2]:443     22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '1 more destination; --limit shows more.',
    ]);
  });

  it('name their namespaces where several were asked', () => {
    const report = destinations([row({ netns: 'web' })], 1, 'all');
    expect(lines(report)[0]).toMatch(/^NETNS {2}FROM /);
    expect(lines(report)[1]).toMatch(/^web {4}192\.0\.2\.10 /);
    expect(json(report)).toMatchObject({ netns: 'all', destinations: [{ netns: 'web', available: 5 }] });
  });

  it('say at least where one reading cannot tell what is blocked', () => {
    const report = destinations([row({ availableAtMost: 9 })], 1);
    expect(lines(report)[1]).toContain(' 5+ ');
    expect(lines(report)[2]).toMatch(/^\+ minimum: /);
    expect(json(report)).toMatchObject({ destinations: [{ available: 5, availableAtMost: 9 }] });
  });

  it('name no more owners than a cell can hold', () => {
    const owners = [1, 2, 3, 4, 5].map((ports) => ({
      ...(OWNERS[0] as DestinationOwner),
      owner: `o${ports}`,
      ports,
    }));
    const [, line] = lines(destinations([row({ owners })], 1));
    expect(line).toMatch(/ o1 1, o2 2, o3 3, 2 more$/);
  });

  it('have no owners where the source does not tell', () => {
    const owners = OWNERS.map((owner) => ({ ...owner, owner: undefined }));
    const report = destinations([row({ owners })], 1);
    expect(lines(report)[1]).toMatch(/ 94\.7 % {2}-$/);
    expect(JSON.stringify(json(report))).not.toContain('"owner"');
  });

  it('are none, or none shown', () => {
    expect(lines(destinations([], 0))).toEqual(['No destination holds an ephemeral port.']);
    expect(lines(destinations([], 7))).toEqual(['7 more destinations; --limit shows more.']);
  });

  it('that were filtered are counted by those that match, and end with 1 where none does', () => {
    const some = destinations([row()], 3, 'host', { isFiltered: true });
    expect([lines(some)[2], some.exitCode]).toEqual(['2 more destinations; --limit shows more.', 0]);
    const none = destinations([], 0, 'host', { isFiltered: true });
    expect([lines(none), none.exitCode]).toEqual([['No destination matches the filter.'], 1]);
  });

  it('have a column for CLOSE-WAIT where it was asked for', () => {
    const [head, line] = lines(destinations([row()], 1, 'host', { isFiltered: true, state: 'close-wait' }));
    expect(head).toMatch(/ USED {2}CLOSE-WAIT {2}OWNERS$/);
    expect(line).toMatch(/ 94\.7 % {11}5 {2}unatt/);
  });

  it('are sorted by any column, else by what they hold in a state, else the fullest first', () => {
    const of = (ratio: number, established: number, remotePort: number, closeWait: number) =>
      row({
        destination: {
          ...DESTINATION,
          ratio,
          remotePort,
          used: { established, timeWait: 0, other: closeWait },
        },
        owners: [{ ...(OWNERS[1] as DestinationOwner), closeWait }],
      });
    const rows = [of(0.5, 7, 443, 1), of(0.9, 5, 80, 0), of(0.1, 9, 8080, 4)];
    const portsBy = (...by: [sort?: string, state?: (typeof DESTINATION_STATES)[number]]) =>
      sortDestinations(rows, by[0], by[1]).map(({ destination }) => destination.remotePort);
    expect(portsBy()).toEqual([80, 443, 8080]);
    expect(portsBy('estab')).toEqual([8080, 443, 80]);
    expect(portsBy('to')).toEqual([80, 443, 8080]);
    expect(portsBy(undefined, 'established')).toEqual([8080, 443, 80]);
    expect(portsBy(undefined, 'close-wait')).toEqual([8080, 443, 80]);
    expect(portsBy('used', 'close-wait')).toEqual([80, 443, 8080]);
    for (const key of DESTINATION_SORT_KEYS)
      expect(portsBy(key).toSorted()).toEqual([443, 80, 8080].toSorted());
  });

  it('are JSON', () => {
    expect(json(destinations([row()], 4))).toEqual({
      netns: 'host',
      total: 4,
      destinations: [{ ...DESTINATION, owners: OWNERS }],
    });
  });

  it.each([
    [0, '0.0 %'],
    [1e-9, '0.1 %'],
    [0.5, '50.0 %'],
    [0.99999, '99.9 %'],
    [1, '100.0 %'],
  ])('that are %d full are %s used: never all but for the last port', (ratio, text) => {
    const report = destinations([row({ destination: { ...DESTINATION, ratio } })], 1);
    expect(lines(report)[1]).toContain(` ${text} `);
  });
});
