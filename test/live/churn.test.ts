import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { openBpfSource } from '../../src/sockets/bpf/openBpfSource.ts';
import { openNetlinkSource } from '../../src/sockets/netlink/source.ts';
import { TcpState } from '../../src/sockets/record.ts';
import type { SocketSource } from '../../src/sockets/source.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { collect } from '../sockets/records.ts';
import { Churn } from './support/churn/churn.ts';
import { newWorld, times } from './support/exact.ts';
import { SLOWNESS } from './support/kernel.ts';
import { describeOverBpf } from './support/privilege.ts';

const CONNECTIONS = 3000;
const LISTENERS = 150;
/** Sockets that do bind() and nothing else, and what is told of each. */
const BOUND = Array.from({ length: 150 }, (_, i) => {
  const port = 11_000 + i;
  return i % 2 === 0
    ? { address: '127.0.0.9', port, told: `${TcpState.CLOSE} 127.0.0.9:${port} 0.0.0.0:0` }
    : { address: '::1', port, told: `${TcpState.CLOSE} [::1]:${port} [::]:0` };
});
/** In an emulator one takes seconds beside so much. */
const READS = SLOWNESS === 1 ? 100 : 40;
/** What a machine reaches beside its readings; an emulated kernel is held to what it can do. */
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
      for (const { address, port } of BOUND) world.bound(address, port);
      times(CONNECTIONS, (i) => world.connect(`127.0.0.${1 + (i % 100)}`, 10_000));
      const source = openBpfSource({ procfs: '/proc', log: silentLogger });
      const netlink = openNetlinkSource();
      try {
        // Read while all is quiet, and by another way.
        const unseen = netlink.sees.boundOnly ? [] : BOUND.map(({ told }) => told);
        const stable = [...socketsOf(netlink), ...unseen].toSorted();
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
        const connections = (after.connections - before.connections) / seconds;
        const namespaces = after.namespaces - before.namespaces;
        console.log(
          `${READS} readings beside ${connections.toFixed()} connections a second, and ${namespaces} namespaces in all`,
        );
        expect(connections).toBeGreaterThan(LEAST_PER_SECOND);
        expect(namespaces).toBeGreaterThan(READS / 10);
      } finally {
        netlink.close();
        source.close();
      }
    },
    60_000 * SLOWNESS,
  );
});
