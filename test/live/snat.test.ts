import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import type { SnatPorts } from '../../src/aggregate/snatPorts.ts';
import { evictsClosing } from '../../src/aggregate/snatRefusals.ts';
import type { SamplingOptions } from '../../src/sampling/samplingOptions.ts';
import type { SourceKind } from '../../src/sockets/source.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { parseExposition } from '../support/exposition.ts';
import { type Exporter, newExporter } from './support/exporter.ts';
import { HostExporter } from './support/hostExporter.ts';
import { BPF_READS_TABLES } from './support/kernel.ts';
import { FORWARDED_PORT, Nat, type NatSetup, natRefusal, SERVER_PORT } from './support/nat.ts';
import { describeLive } from './support/privilege.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const FIRST = 2000;
const SIZES = [7, 30, 64, 128];
const MIXTURES = 24;

describeLive('Ports behind a NAT', () => {
  const refusal = natRefusal();

  for (let nth = 0; nth < MIXTURES; nth++) {
    const count = pick(SIZES, nth);
    const type = pick(['udp', 'tcp'] as const, Math.floor(nth / SIZES.length));
    const family = pick(['ipv4', 'ipv6'] as const, Math.floor(nth / SIZES.length / 2));
    const flag = pick(['', 'random', 'fully-random'], nth);
    const name = `${count} of ${type} over ${family}, ${flag || 'no flag'} (${nth})`;
    itNeeding(refusal, `as many new flows pass as are promised: ${name}`, async () => {
      const isOwnTranslated = Math.random() < 0.5;
      const nat = newNat({ family, first: FIRST, last: FIRST + count - 1, flag, isOwnTranslated });
      const { exporter, sample } = exporterBehind(nat, count);
      // So many entries that they are worth a look.
      nat.connect(type, Math.ceil(count / 4) + random(Math.floor(count / 3)));
      nat.connectFromRouter(type, portsOf(count, shuffled(count, random(count / 8))));
      nat.connect(type, random(count / 4), { port: FORWARDED_PORT, to: nat.addresses.gateway });
      for (let inbound = random(count / 8); inbound > 0; inbound--) nat.sendInbound(FIRST + random(count));
      await sample();
      const promised = available(exporter, type, nat);
      const before = exporter.value('port_conntrack_insert_failed_total');
      const passed = nat.connect(type, count + 5);
      expect({ passed }).toEqual({ passed: promised });
      await sample();
      expect(available(exporter, type, nat)).toBe(0);
      expect(exporter.value('port_snat_exhaustion_ratio', { protocol: type })).toBe(1);
      const failed = exporter.value('port_conntrack_insert_failed_total');
      if (type === 'udp') expect((failed ?? 0) - (before ?? 0)).toBe(count + 5 - passed);
    });
  }

  const fills: readonly (readonly [string, (index: number) => boolean])[] = [
    ['at random, 985 of 1000', shuffled(1000, 985)],
    ['in one block, 900 of 1000', (index) => index < 900],
  ];
  for (const [name, isHeld] of fills) {
    itNeeding(refusal, `as many packets find no port as is predicted: ${name}`, async () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + 999, flag: 'fully-random' });
      const { exporter, sample } = exporterBehind(nat, 1000);
      // Without a translated flow no address is known to be a NAT's.
      nat.connect('udp', 1, { port: SERVER_PORT + 1 });
      nat.connectFromRouter('udp', portsOf(1000, isHeld));
      await sample();
      const predicted = exporter.value('port_snat_destination_refusal_ratio', {
        protocol: 'udp',
        remote_port: SERVER_PORT,
      });
      const probe = nat.openProbe(40_000);
      const probes = 20_000;
      let refused = 0;
      for (let nth = 0; nth < probes; nth++) refused += Number(!nat.probe(probe, 40_000));
      const expected = probes * (predicted ?? Number.NaN);
      const deviation = Math.sqrt(expected * (1 - expected / probes));
      expect(Math.abs(refused - expected)).toBeLessThan(4.5 * deviation + 1);
      await sample();
      const failed = exporter.value('port_conntrack_insert_failed_total');
      expect(failed).toBe(refused);
      // Each of them has met 248 taken ports.
      const found = exporter.value('port_conntrack_found_total') ?? 0;
      expect(found).toBeGreaterThanOrEqual(248 * refused);
    });
  }

  itNeeding(
    refusal,
    'of connections that are closing are given to new ones where the kernel does that',
    async () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + 29 });
      const { exporter, sample } = exporterBehind(nat, 30);
      expect(nat.connect('tcp', 30)).toBe(30);
      nat.endConnections();
      await sample();
      expect(
        exporter.value('port_snat_destination_used_ports', { protocol: 'tcp', state: 'time_wait' }),
      ).toBe(30);
      expect(available(exporter, 'tcp', nat)).toBe(0);
      const doesEvict = evictsClosing(release());
      const ratio = exporter.value('port_snat_refusal_ratio', { protocol: 'tcp' });
      expect(ratio).toBeCloseTo(doesEvict ? 0 : 1, 6);
      expect(nat.connect('tcp', 10)).toBe(doesEvict ? 10 : 0);
    },
  );

  const elsewhere: readonly (readonly [SourceKind, string | undefined])[] = [
    ['netlink', refusal],
    ['bpf', refusal ?? (BPF_READS_TABLES ? undefined : 'BPF takes Linux 6.1')],
  ];
  for (const [source, missing] of elsewhere) {
    itNeeding(missing, `are told of other network namespaces, over ${source}`, async () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + 29 });
      nat.connect('udp', 20);
      const exporter = new HostExporter({ source, snatPorts: rangeOf(30), fullDumpAbove: 0.05 });
      await exporter.sample();
      const netns = nat.router.name;
      expect(exporter.value('port_snat_available_ports', { netns, protocol: 'udp' })).toBe(10);
      expect(exporter.value('port_conntrack_entries', { netns })).toBeGreaterThanOrEqual(20);
      expect(exporter.value('port_exporter_sample_success', { netns, collector: 'snat' })).toBe(1);
      // Whoever tracks nothing has no number.
      expect(exporter.series('port_conntrack_entries', { netns: nat.client.name })).toEqual([]);
      expect(exporter.series('port_snat_available_ports', { netns: nat.client.name })).toEqual([]);
    });
  }

  itNeeding(
    refusal ?? missingTool('setpriv'),
    'without CAP_NET_ADMIN are absent, and one line says so',
    () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + 29 });
      nat.connect('udp', 20);
      const flags = [
        '--once',
        '--namespaces=self',
        '--log.level=debug',
        `--snat.ports=${FIRST}-${FIRST + 29}`,
      ];
      const ask = (...launcher: readonly string[]) => {
        const command = [...launcher, process.execPath, MAIN, ...flags];
        const { stdout, stderr } = spawnSync('ip', ['netns', 'exec', nat.router.name, ...command], {
          encoding: 'utf8',
        });
        const all = parseExposition(stdout);
        const value = (wanted: string) => all.find(({ name }) => name === wanted)?.value;
        return {
          entries: value('port_conntrack_entries'),
          failed: value('port_conntrack_insert_failed_total'),
          available: value('port_snat_destination_available_ports'),
          success: all.find(({ labels }) => labels['collector'] === 'snat')?.value,
          said: stderr.split('\n').filter((line) => line.includes('SNAT')),
        };
      };
      const permitted = ask();
      expect(permitted).toEqual({ entries: 20, failed: 0, available: 10, success: 1, said: [] });
      const said = [
        expect.stringMatching(/level=info msg="SNAT ports are not read" error="needs CAP_NET_ADMIN: /),
      ];
      const denied = ask('setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin');
      expect(denied).toEqual({ ...permitted, available: undefined, said });
    },
  );

  itNeeding(
    refusal,
    'are absent where too few connections are tracked to fill a quarter of the range',
    async () => {
      const nat = newNat({ family: 'ipv4', first: FIRST, last: FIRST + 99 });
      const { exporter, sample } = exporterBehind(nat, 100);
      nat.connect('udp', 20);
      await sample();
      expect(exporter.value('port_conntrack_entries')).toBeLessThan(25);
      expect(exporter.series('port_snat_available_ports')).toEqual([]);
      nat.connect('udp', 20);
      await sample();
      expect(exporter.value('port_snat_available_ports', { protocol: 'udp' })).toBe(60);
      nat.flush();
      await sample();
      expect(exporter.series('port_snat_available_ports')).toEqual([]);
    },
  );
});

function newNat(setup: NatSetup): Nat {
  const nat = new Nat(setup);
  onTestFinished(() => nat.close());
  return nat;
}

/** An exporter in the router's namespace that knows its range. */
function exporterBehind(nat: Nat, count: number) {
  const options: Partial<SamplingOptions> = {
    canary: false,
    snatPorts: rangeOf(count),
  };
  const exporter = nat.router.inside(() => newExporter(options));
  return { exporter, sample: () => nat.router.inside(() => exporter.sample()) };
}

function rangeOf(count: number): SnatPorts[] {
  return [{ name: 'any', first: FIRST, last: FIRST + count - 1 }];
}

function available(exporter: Exporter, protocol: string, { addresses }: Nat): number | undefined {
  return exporter.value('port_snat_destination_available_ports', {
    ...{ protocol, nat_address: addresses.nat },
    ...{ remote_address: addresses.server, remote_port: SERVER_PORT },
  });
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function pick<T>(all: readonly T[], nth: number): T {
  return all[nth % all.length] as T;
}

/** Of a range, those whose index is held. */
function portsOf(count: number, isHeld: (index: number) => boolean): number[] {
  return Array.from({ length: count }, (_, index) => index)
    .filter(isHeld)
    .map((index) => FIRST + index);
}

/** `held` of `count`, whichever. */
function shuffled(count: number, held: number): (index: number) => boolean {
  const order = Array.from({ length: count }, (_, index) => ({ index, at: Math.random() }));
  const chosen = new Set(
    order
      .sort((a, b) => a.at - b.at)
      .slice(0, held)
      .map(({ index }) => index),
  );
  return (index) => chosen.has(index);
}
