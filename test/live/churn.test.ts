import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { openBpfSource } from '../../src/sockets/bpf/openBpfSource.ts';
import { openNetlinkSource } from '../../src/sockets/netlink/source.ts';
import type { SocketSource } from '../../src/sockets/source.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { collect } from '../sockets/records.ts';
import { Churn } from './support/churn/churn.ts';
import { newWorld, times } from './support/exact.ts';
import { SLOWNESS } from './support/kernel.ts';
import { describeOverBpf } from './support/privilege.ts';

const CONNECTIONS = 3000;
const LISTENERS = 150;
const BOUND = 150;
const READS = 100;
const LEAST_PER_SECOND = 10_000 / SLOWNESS;

/** Every socket of the namespace, once for each time that it was told, in no order of the kernel's. */
function socketsOf(source: SocketSource): string[] {
  const listeners = collect((visit) => source.tcpListeners(visit));
  const others = collect((visit) => source.tcpConnections(visit));
  return [...listeners, ...others]
    .map(({ state, local, remote }) => `${state} ${local} ${remote}`)
    .toSorted();
}

describeOverBpf('Beside sockets that come and go all the time', () => {
  itNeeding(
    missingTool('gcc'),
    `those that stay are seen in every one of ${READS} readings, each once`,
    async () => {
      const world = newWorld({ range: [20_000, 59_999] });
      times(LISTENERS, (i) => world.listen('127.0.0.1', 10_000 + i));
      times(BOUND, (i) => world.bound(i % 2 === 0 ? '127.0.0.9' : '::1', 11_000 + i));
      times(CONNECTIONS, (i) => world.connect(`127.0.0.${1 + (i % 100)}`, 10_000));
      const source = openBpfSource({ procfs: '/proc', log: silentLogger });
      const netlink = openNetlinkSource();
      try {
        // Read while all is quiet, and by another way.
        const stable = socketsOf(netlink);
        const churn = new Churn();
        const before = await churn.churned();
        const startedAt = performance.now();
        for (let read = 1; read <= READS; read++) {
          await sleep(30);
          expect(source.beginRound?.({ inodes: true, cgroups: true }), `reading ${read}`).toBeDefined();
          expect(socketsOf(source), `reading ${read}`).toEqual(stable);
        }
        const seconds = (performance.now() - startedAt) / 1000;
        const after = await churn.churned();
        expect((after.connections - before.connections) / seconds).toBeGreaterThan(LEAST_PER_SECOND);
        expect(after.namespaces - before.namespaces).toBeGreaterThan(READS / 10);
      } finally {
        netlink.close();
        source.close();
      }
    },
    60_000 * SLOWNESS,
  );
});
