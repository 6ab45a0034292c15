import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { readSocketTotals, type SocketTotals } from '../../src/kernel/sockstat.ts';
import { newWorld, times } from './support/exact.ts';
import { Exporter, sampled } from './support/exporter.ts';
import { RELEASES_BOUND_PORTS, SLOWNESS } from './support/kernel.ts';
import { raiseDescriptorLimit } from './support/limits.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

const KEYS = [
  ['tcp', 'ipv4', '127.0.0.1'],
  ['tcp', 'ipv6', '::1'],
  ['udp', 'ipv4', '127.0.0.1'],
  ['udp', 'ipv6', '::1'],
] as const;

// That the answer is what was calculated is asked by every other live test too: see support/exporter.ts.
describeLive('The canary: the kernel is asked for one port', () => {
  it.each(KEYS)('%s %s: it gets the last one, and none after that', async (protocol, family, address) => {
    const world = newWorld();
    const labels = { protocol, family };
    times(99, () => world.bound(address, 0, { type: protocol }));
    const exporter = await sampled();
    expect(exporter.value('port_canary_success', labels)).toBe(1);
    expect(exporter.series('port_canary_error_info')).toEqual([]);
    world.bound(address, 0, { type: protocol });
    await exporter.sample();
    expect(exporter.value('port_canary_success', labels)).toBe(0);
    expect(exporter.series('port_canary_error_info').map((series) => series.labels)).toEqual([
      expect.objectContaining({ ...labels, error: 'EADDRINUSE' }),
    ]);
    expect(exporter.values('port_canary_success').toSorted()).toEqual([0, 1, 1, 1]);
    expect(exporter.values('port_canary_disagreements_total')).toEqual([0, 0, 0, 0]);
  });

  it('a family without a loopback address is no exhaustion: no success, no failure, and the reason', async () => {
    const world = newWorld();
    world.sysctl('net.ipv6.conf.lo.disable_ipv6', '1');
    const exporter = await sampled();
    expect(exporter.values('port_canary_success')).toEqual([1, 1]);
    expect(exporter.series('port_canary_error_info').map((series) => series.labels)).toEqual(
      ['tcp', 'udp'].map((protocol) =>
        expect.objectContaining({ protocol, family: 'ipv6', error: 'EADDRNOTAVAIL' }),
      ),
    );
  });

  it('the answer takes longer when the range is nearly full', async () => {
    const world = newWorld({ range: [20_000, 31_999] });
    raiseDescriptorLimit(13_000);
    const whenEmpty = await medianSeconds();
    times(11_999, () => world.bound('127.0.0.1'));
    expect(await medianSeconds()).toBeGreaterThan(3 * whenEmpty);
  });

  it('10 000 samples leave no socket and no TIME_WAIT', { timeout: 240_000 * SLOWNESS }, async () => {
    newWorld();
    const before = socketsHere();
    const descriptors = readdirSync('/proc/self/fd').length;
    const exporter = new Exporter();
    for (let taken = 0; taken < 10_000; taken++) exporter.sampleOnly();
    exporter.close();
    expect(readdirSync('/proc/self/fd')).toHaveLength(descriptors);
    expect(execFileSync('ss', ['-tuanH'], { encoding: 'utf8' })).toBe('');
    // The kernel frees a closed socket a little later.
    await vi.waitFor(() => expect(socketsHere()).toEqual(before), { timeout: 10_000 * SLOWNESS });
  });

  it('no connect() is refused that was promised, however often it asked', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    // Past the half, where automatic bind() and connect() choose among the same ports.
    times(80, () => world.connect('127.0.0.1'));
    const exporter = new Exporter();
    times(300, () => exporter.sampleOnly());
    exporter.close();
    let further = 0;
    while (connects(world, '127.0.0.2')) further++;
    expect(further).toBe(100);
  });

  it.skipIf(RELEASES_BOUND_PORTS)(
    'before Linux 6.18 it does not ask where that would block a port',
    async () => {
      const world = newWorld();
      times(80, () => world.connect('127.0.0.1'));
      const exporter = await sampled();
      expect(exporter.values('port_canary_success', { protocol: 'tcp' })).toEqual([]);
      expect(exporter.values('port_canary_success', { protocol: 'udp' })).toEqual([1, 1]);
    },
  );
});

async function medianSeconds(): Promise<number> {
  const exporter = new Exporter();
  const taken: number[] = [];
  for (let round = 0; round < 21; round++) {
    await exporter.sample();
    taken.push(
      exporter.value('port_canary_duration_seconds', { protocol: 'tcp', family: 'ipv4' }) ?? Number.NaN,
    );
  }
  exporter.close();
  return taken.toSorted((a, b) => a - b)[10] ?? Number.NaN;
}

/** All open sockets of this namespace, and those in TIME_WAIT. */
function socketsHere(): SocketTotals {
  return readSocketTotals('/proc/thread-self/net');
}

function connects(world: World, to: string): boolean {
  try {
    world.connect(to);
    return true;
  } catch {
    return false;
  }
}
