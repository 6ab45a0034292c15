import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { type ScannedPort, type ScanPlan, scanPorts } from '../../src/scan/scan.ts';
import { firewall, incoming, missingFirewall } from '../e2e/support/firewall.ts';
import { itNeeding } from '../e2e/support/needs.ts';
import { newWorld } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { describeLive } from '../live/support/privilege.ts';

function plan(more: Partial<ScanPlan> = {}): ScanPlan {
  return {
    ...{ address: '127.0.0.1', ports: range(9000, 9099), timeoutMs: 10_000 * SLOWNESS, concurrency: 20 },
    ...{ signal: new AbortController().signal, onScanned: () => {}, ...more },
  };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function sockets(state: string): string[] {
  const lines = execFileSync('ss', ['-tanH', 'state', state], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line !== '');
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describeLive('A scan', () => {
  it('asks every port once, and tells them in order', async () => {
    const world = newWorld();
    for (const port of [9000, 9050, 9099]) world.listen('127.0.0.1', port);
    const told: ScannedPort[] = [];
    const found = await scanPorts(
      plan({ ports: range(9000, 9099).toReversed(), onScanned: (port) => told.push(port) }),
    );
    expect(found.map(({ port }) => port)).toEqual(range(9000, 9099));
    expect(found.filter(({ state }) => state === 'open').map(({ port }) => port)).toEqual([9000, 9050, 9099]);
    expect(found[1]).toEqual({ port: 9001, state: 'closed', error: 'ECONNREFUSED' });
    expect(told.toSorted((a, b) => a.port - b.port)).toEqual(found);
  });

  it('leaves no TIME_WAIT and no descriptor', async () => {
    const world = newWorld({ range: [32_768, 60_999] });
    for (const port of range(9000, 9199)) world.listen('127.0.0.1', port);
    const before = descriptors();
    await scanPorts(plan({ ports: range(8000, 9999) }));
    await vi.waitFor(() => expect(descriptors()).toBeLessThanOrEqual(before));
    expect(sockets('time-wait')).toEqual([]);
  });

  it('finds no port open that only its own connection is on', async () => {
    newWorld({ range: [40_000, 40_001] });
    const found = await scanPorts(plan({ ports: [40_000, 40_001], concurrency: 1 }));
    expect(found.map(({ state }) => state)).toEqual(['closed', 'closed']);
  });

  itNeeding(
    missingFirewall,
    'has never more under way than it may, and ends at once when told to',
    async () => {
      newWorld();
      firewall(incoming('tcp dport 9010-9099 drop'));
      const ending = new AbortController();
      const before = descriptors();
      const scan = scanPorts(plan({ concurrency: 7, timeoutMs: 600_000, signal: ending.signal }));
      await vi.waitFor(() => expect(sockets('syn-sent')).toHaveLength(7), 10_000 * SLOWNESS);
      ending.abort();
      expect((await scan).map(({ port }) => port)).toEqual(range(9000, 9009));
      await vi.waitFor(() => expect(descriptors()).toBeLessThanOrEqual(before));
      expect(sockets('syn-sent')).toEqual([]);
    },
  );

  itNeeding(missingFirewall, 'asks again where no answer came', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 9000);
    // A SYN has 60 bytes: the first is lost, and the kernel would not repeat it before a second is over.
    firewall(incoming('tcp dport 9000 quota until 100 bytes drop', 'tcp dport 9001 drop'));
    const found = await scanPorts(plan({ ports: [9000, 9001], timeoutMs: 700 }));
    expect(found).toEqual([
      { port: 9000, state: 'open', error: undefined },
      { port: 9001, state: 'filtered', error: 'ETIMEDOUT' },
    ]);
  });

  it('ends where no local port is left', async () => {
    const world = newWorld({ range: [40_000, 40_001] });
    for (const port of [40_000, 40_001]) world.listen('127.0.0.9', port);
    await expect(scanPorts(plan({ concurrency: 1 }))).rejects.toThrow(
      new ExporterError(
        'scanning 127.0.0.1: no local port is left to connect to port 9000 (EADDRNOTAVAIL); see port-exporter explain',
      ),
    );
  });

  it('without any address to ask from finds all filtered, as nmap does', async () => {
    const world = newWorld();
    world.sysctl('net.ipv6.conf.all.disable_ipv6', '1');
    expect(await scanPorts(plan({ address: '::1', ports: [22] }))).toEqual([
      { port: 22, state: 'filtered', error: 'EADDRNOTAVAIL' },
    ]);
  });
});
