import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { expectWhole, hereInode, newRefusals, REFUSED } from './support/counting.ts';
import { newWorld, times } from './support/exact.ts';
import { SLOWNESS } from './support/kernel.ts';
import * as posix from './support/posix.ts';
import { describeOverBpf } from './support/privilege.ts';
import { exhausted, RANGE, refusalOf, refusedBy, refusing, withSocket } from './support/refusing.ts';
import { SERVER_PORT } from './support/world.ts';

/** Of `src/kernel/bpf/refusals.h`. */
const EVENTS = 2048;
const DESTINATIONS = 4096;

describeOverBpf('At a hundred thousand refusals a second', () => {
  it('every single one is counted, and no more is kept than there is room for', async () => {
    exhausted('127.0.0.1');
    const refusals = newRefusals();
    const inode = hereInode();
    const children = Array.from({ length: availableParallelism() }, () => refusing(`${1500 * SLOWNESS}ms`));
    const sums = { namespaces: 0, destinations: 0, owners: 0, events: 0 };
    const drain = () => {
      const deltas = refusals.drain();
      if (deltas === undefined) return;
      expectWhole(deltas);
      expect(deltas.events.length).toBeLessThanOrEqual(EVENTS * refusals.regimes.length);
      for (const kind of ['namespaces', 'destinations', 'owners'] as const)
        for (const { netns, count } of deltas[kind]) if (netns === inode) sums[kind] += count;
      for (const { netns } of deltas.events) if (netns === inode) sums.events++;
    };
    const timer = setInterval(drain, 50);
    const said = await Promise.all(children.map(refusedBy));
    clearInterval(timer);
    drain();
    const refused = said.reduce((total, count) => total + count, 0);
    expect(refused).toBeGreaterThan(10_000 / SLOWNESS);
    expect(sums).toEqual({
      namespaces: refused,
      destinations: refused,
      owners: refused,
      events: sums.events,
    });
    expect(sums.events).toBeGreaterThanOrEqual(Math.min(refused, EVENTS));
  });
});

describeOverBpf('Where connect() fails at more destinations than there is room for', () => {
  it('those of refusals have theirs all the same', () => {
    const world = exhausted('127.0.0.1');
    world.sysctl('net.ipv4.ip_local_port_range', '40000 40010');
    const refusals = newRefusals();
    times(6000, (i) =>
      withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) =>
        expect(refusalOf(() => posix.connect(fd, `127.1.${i >> 8}.${i & 255}`, 9))).toBe('ECONNREFUSED'),
      ),
    );
    world.sysctl('net.ipv4.ip_local_port_range', RANGE.join(' '));
    withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) =>
      refusalOf(() => posix.connect(fd, '127.0.0.1', SERVER_PORT)),
    );
    const deltas = refusals.drain();
    if (deltas === undefined) throw new Error('nothing was counted');
    expectWhole(deltas);
    expect(deltas.failures.length).toBeLessThanOrEqual(DESTINATIONS);
    expect(deltas.lost.failures).toBeGreaterThanOrEqual(6000 - DESTINATIONS);
    expect(deltas.lost).toMatchObject({ namespaces: 0, destinations: 0, owners: 0, events: 0 });
    expect(deltas.destinations.filter(({ netns }) => netns === hereInode())).toHaveLength(1);
  });
});

describeOverBpf('Where refusals have more destinations than there is room for', () => {
  it('the rest is said to be lost, and every total is whole', () => {
    newWorld({ range: [40_000, 40_000], reserved: '40000' });
    const refusals = newRefusals();
    withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) =>
      times(6000, (i) => refusalOf(() => posix.connect(fd, `127.1.${i >> 8}.${i & 255}`, SERVER_PORT))),
    );
    const deltas = refusals.drain();
    if (deltas === undefined) throw new Error('nothing was counted');
    expectWhole(deltas);
    const here = deltas.namespaces.filter(({ netns }) => netns === hereInode());
    expect(here).toEqual([expect.objectContaining({ ending: REFUSED, count: 6000 })]);
    expect(deltas.destinations.length).toBeLessThanOrEqual(DESTINATIONS);
    expect(deltas.lost.destinations).toBeGreaterThanOrEqual(6000 - DESTINATIONS);
    expect(deltas.lost.events).toBeGreaterThanOrEqual(6000 - EVENTS);
    expect(deltas.lost).toMatchObject({ namespaces: 0, owners: 0 });
  });
});
