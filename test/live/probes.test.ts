import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { expect, it, vi } from 'vitest';
import { readSocketTotals } from '../../src/kernel/sockstat.ts';
import { Lookups } from '../../src/probes/lookups.ts';
import { probe } from '../../src/probes/probe.ts';
import { Slots } from '../../src/probes/slots.ts';
import { newWorld } from './support/exact.ts';
import { Exporter } from './support/exporter.ts';
import { SLOWNESS } from './support/kernel.ts';
import { describeLive } from './support/privilege.ts';

const LIMITS = { timeoutMs: 10_000 * SLOWNESS, longestWaitMs: 1_000 };

/** Accepts what comes, and counts it. */
async function serve(host: string): Promise<{ server: Server; accepted: () => number }> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on('error', () => {});
  }).listen(8001, host);
  await once(server, 'listening');
  return { server, accepted: () => accepted };
}

describeLive('Probes leave nothing behind', () => {
  it('10 000 of them go through 100 ports, and none is in TIME_WAIT', async () => {
    newWorld();
    const before = readSocketTotals('/proc/thread-self/net');
    const descriptors = readdirSync('/proc/self/fd').length;
    const { server, accepted } = await serve('127.0.0.1');
    const places = { lookups: new Lookups(), slots: new Slots(16) };
    const target = { host: '127.0.0.1', port: 8001 };
    const outcomes = await Promise.all(Array.from({ length: 10_000 }, () => probe(target, LIMITS, places)));
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    // Each stood, by its outcome; of those that were reset before accept() the server may hear nothing.
    await vi.waitFor(() => expect(accepted()).toBeGreaterThan(5_000), 10_000 * SLOWNESS);
    const exporter = new Exporter();
    await exporter.sample();
    expect(exporter.values('port_destination_used_ports')).toEqual([]);
    for (const family of ['ipv4', 'ipv6']) {
      expect(exporter.value('port_sockets', { protocol: 'tcp', family, state: 'time_wait' })).toBe(0);
    }
    exporter.close();
    server.close();
    await once(server, 'close');
    await vi.waitFor(() => {
      expect(readdirSync('/proc/self/fd')).toHaveLength(descriptors);
      expect(readSocketTotals('/proc/thread-self/net')).toEqual(before);
    }, 10_000 * SLOWNESS);
  });
});
