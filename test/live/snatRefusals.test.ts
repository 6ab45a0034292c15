import { expect, onTestFinished } from 'vitest';
import type { Entry } from '../conntrack/encode.ts';
import { itNeeding } from '../e2e/support/needs.ts';
import { newExporter } from './support/exporter.ts';
import { SLOWNESS } from './support/kernel.ts';
import { Nat, type NatSetup, natRefusal, SERVER_PORT } from './support/nat.ts';
import { describeLive } from './support/privilege.ts';
import { SILENT, SILENT_PORT, SynProbe, TCP_STATE } from './support/synProbe.ts';
import { translated } from './support/trackedEntries.ts';

const FIRST = 2000;
/** Of each fill; an emulated kernel takes its time. */
const PROBES = SLOWNESS > 1 ? 800 : 4000;
const STRANGER = '10.91.1.77';

describeLive('The share of packets that find no port', () => {
  const refusal = natRefusal();

  const ranges = [
    { count: 1000, setup: { first: FIRST, last: FIRST + 999 } },
    // What the kernel takes of its own accord.
    { count: 64_512, setup: {} },
  ];
  for (const { count, setup } of ranges) {
    for (const isBlock of [false, true]) {
      const first = setup.first ?? 1024;
      const fills = isBlock ? [0.8, 0.9, 0.95, 0.998] : [0.8, 0.98, 0.99, 0.998];
      const name = `${count} ports, held ${isBlock ? 'in one block' : 'at random'}`;
      itNeeding(refusal, `is as predicted: ${name}`, async () => {
        const flag = isBlock ? '' : 'fully-random';
        const nat = newNat({ family: 'ipv4', ...setup, flag });
        const { exporter, sample } = exporterBehind(nat, first, count);
        // Without a translated flow no address is known to be a NAT's.
        nat.connect('udp', 1, { port: SERVER_PORT + 1 });
        const order = isBlock ? rotated(count) : shuffled(count);
        const own = first + (order[0] as number);
        const probe = nat.openProbe(own);
        let filled = 0;
        let refusedSoFar = 0;
        for (const fill of fills) {
          const held = Math.floor(count * fill);
          nat.tracked.put(order.slice(filled, held).map((index) => holder(nat, first + index)));
          filled = held;
          await sample();
          expect(exporter.value('port_conntrack_insert_failed_total')).toBe(refusedSoFar);
          const labels = { protocol: 'udp', remote_port: SERVER_PORT };
          expect(exporter.value('port_snat_destination_available_ports', labels)).toBe(count - held);
          const predicted = exporter.value('port_snat_destination_refusal_ratio', labels);
          let refused = 0;
          for (let nth = 0; nth < PROBES; nth++) refused += Number(!nat.probe(probe, own));
          expectLikely({ fill, refused, of: PROBES, predicted });
          refusedSoFar += refused;
        }
        await sample();
        expect(exporter.value('port_conntrack_insert_failed_total')).toBe(refusedSoFar);
      });
    }
  }

  const mixtures = [
    { count: 1000, closing: 1, own: 0, renewEvery: PROBES, name: 'all of 1000 ports' },
    {
      count: 1000,
      closing: 0.04,
      own: 0.03,
      renewEvery: 20,
      name: '40 of 1000 ports, 30 more of the router itself',
    },
    {
      count: 100,
      closing: 0.08,
      own: 0.05,
      renewEvery: 1,
      name: '8 of 100 ports, 5 more of the router itself',
    },
  ];
  for (const { name, count, closing, own, renewEvery } of mixtures) {
    itNeeding(refusal, `is what the kernel makes of connections in TIME_WAIT or CLOSE: ${name}`, async () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + count - 1, isOwnTranslated: true });
      const { exporter, sample } = exporterBehind(nat, FIRST, count);
      const holding = newSynProbe(nat, nat.addresses.client);
      const probe = newSynProbe(nat, STRANGER);
      const ports = shuffled(count).map((index) => FIRST + index);
      const ofRouter = ports.splice(0, Math.round(count * own));
      nat.tracked.put(ofRouter.map((port) => routersOwn(nat, port, TCP_STATE.TIME_WAIT)));
      const states = new Map(
        ports.map((port, nth) => [
          port,
          nth >= Math.round(count * closing) ? TCP_STATE.ESTABLISHED : closingState(nth),
        ]),
      );
      const hold = (port: number, state: number | undefined) => {
        holding.send(port);
        // Its own port is free, and kept.
        expect(holding.natPort(port)).toBe(port);
        nat.tracked.put([holding.entry(port, state)]);
      };
      for (const [port, state] of states) hold(port, state);
      await sample();
      expect(exporter.value('port_snat_destination_available_ports', { protocol: 'tcp' })).toBe(0);
      const predicted = exporter.value('port_snat_destination_refusal_ratio', { protocol: 'tcp' });
      const before = exporter.value('port_conntrack_insert_failed_total') ?? 0;
      const closingPorts = ports.slice(0, Math.round(count * closing));
      const probes = PROBES / 4;
      let refused = 0;
      for (let nth = 0; nth < probes; nth++) {
        // Those that no SYN so far has advanced on would gather: others in their place, before it comes to that.
        if (nth % renewEvery === renewEvery - 1) {
          for (const port of closingPorts) {
            nat.tracked.delete(holding.entry(port));
            hold(port, states.get(port));
          }
        }
        const from = pick(ports);
        probe.send(from);
        const given = probe.natPort(from);
        if (given === undefined) {
          refused++;
          continue;
        }
        expect(nat.tracked.delete(probe.entry(from))).toBe(true);
        // Whose it was is gone: as before, for the next one.
        expect(closingPorts).toContain(given);
        hold(given, states.get(given));
      }
      expectLikely({ refused, of: probes, predicted });
      await sample();
      expect((exporter.value('port_conntrack_insert_failed_total') ?? 0) - before).toBe(refused);
    });
  }
});

function closingState(nth: number): number {
  return nth % 3 === 0 ? TCP_STATE.CLOSE : TCP_STATE.TIME_WAIT;
}

function newSynProbe(nat: Nat, source: string): SynProbe {
  const probe = new SynProbe(nat, source);
  onTestFinished(() => probe.close());
  return probe;
}

/** A connection of the router itself to where SYNs go: it was not translated, and is not ended for new ones. */
function routersOwn(nat: Nat, port: number, tcpState: number): Entry {
  const original = {
    ...{ source: nat.addresses.nat, destination: SILENT },
    ...{ sourcePort: port, destinationPort: SILENT_PORT },
  };
  return { original, reply: inverted(original), protocol: 6, tcpState };
}

function pick<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)] as T;
}

/** A port that an entry holds: every other one translated, the others the router's own. */
function holder(nat: Nat, port: number): Entry {
  const { server, nat: address } = nat.addresses;
  const reply = { source: server, destination: address, sourcePort: SERVER_PORT, destinationPort: port };
  const isTranslated = port % 2 === 0;
  const source = isTranslated ? STRANGER : address;
  const original = { source, destination: server, sourcePort: port, destinationPort: SERVER_PORT };
  if (!isTranslated) return { original, reply, protocol: 17 };
  return { original, reply: inverted(original), protocol: 17, more: translated(address, port) };
}

function inverted({ source, destination, sourcePort, destinationPort }: Entry['original']): Entry['reply'] {
  return {
    source: destination,
    destination: source,
    sourcePort: destinationPort ?? 0,
    destinationPort: sourcePort ?? 0,
  };
}

function newNat(setup: NatSetup): Nat {
  const nat = new Nat(setup);
  onTestFinished(() => nat.close());
  return nat;
}

/** An exporter in the router's namespace that knows its range. */
function exporterBehind(nat: Nat, first: number, count: number) {
  const snatPorts = [{ name: 'any', first, last: first + count - 1 }];
  const exporter = nat.router.inside(() => newExporter({ canary: false, snatPorts }));
  return { exporter, sample: () => nat.router.inside(() => exporter.sample()) };
}

/** Within 4.5 standard deviations. */
function expectLikely(measured: {
  readonly refused: number;
  readonly of: number;
  readonly predicted: number | undefined;
  readonly fill?: number;
}): void {
  const { refused, of, predicted = Number.NaN } = measured;
  const deviation = Math.sqrt(of * predicted * (1 - predicted));
  const isLikely = Math.abs(refused - of * predicted) <= 4.5 * deviation + 1;
  expect({ ...measured, isLikely }).toEqual({ ...measured, isLikely: true });
}

/** All of the indexes below `count`, from a random one on. */
function rotated(count: number): number[] {
  const from = Math.floor(Math.random() * count);
  return Array.from({ length: count }, (_, nth) => (from + nth) % count);
}

/** All of the indexes below `count`, in a random order. */
function shuffled(count: number): number[] {
  return Array.from({ length: count }, (_, index) => ({ index, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ index }) => index);
}
