import { expect, it } from 'vitest';
import { RefusalTally } from '../../src/status/refusalTally.ts';
import { BIND, EVENT, refusedBinds, refusedConnects, report } from './refusals.ts';

function tallyOf(...reports: Parameters<RefusalTally['take']>[0][]): RefusalTally {
  const tally = new RefusalTally();
  reports.forEach((one, index) => {
    tally.take(one, index);
  });
  return tally;
}

it('adds up connect() calls by destination and others by namespace, and knows whose the last was', () => {
  const tally = tallyOf(refusedConnects(3), refusedBinds(5), refusedConnects(4), refusedConnects(1, 80));
  expect([tally.refused, tally.likely]).toEqual([13, 0]);
  expect(tally.most(2)).toEqual([
    {
      ...{ protocol: 'tcp', scope: 'connect', netns: 'host', count: 7, last: EVENT },
      destination: { localAddress: '10.0.0.5', remoteAddress: '10.0.0.9', remotePort: 443 },
    },
    { protocol: 'tcp', scope: 'bind', netns: 'web', count: 5, last: BIND, destination: undefined },
  ]);
});

it('counts the likely ones among all', () => {
  const { refused, ...rest } = refusedConnects(3);
  const tally = tallyOf(refusedConnects(2), { ...rest, refused: [], likely: refused });
  expect([tally.refused, tally.likely, tally.most(1)[0]?.count]).toEqual([5, 3, 5]);
});

it('tells how many were to a destination, from whatever address, and only there', () => {
  const { destinations } = refusedConnects(2);
  const [one = undefined] = destinations;
  if (one === undefined) throw new Error('no destination');
  const tally = tallyOf(
    report({ destinations: [one, { ...one, localAddress: '10.0.0.6' }, { ...one, netns: 'web' }] }),
    refusedConnects(7, 80),
  );
  expect(tally.towards('host', '10.0.0.9', 443)).toBe(4);
  expect(tally.towards('host', '10.0.0.8', 443)).toBe(0);
});

it('stays small whatever the number of destinations', () => {
  const tally = tallyOf(...Array.from({ length: 3000 }, (_, port) => refusedConnects(1, port + 1)));
  expect(tally.refused).toBe(3000);
  expect(tally.most(Number.MAX_SAFE_INTEGER)).toHaveLength(1000);
});
