import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, onTestFinished } from 'vitest';
import { evictsClosing } from '../../src/aggregate/snatRefusals.ts';
import { Nat, type NatSetup, natRefusal, SERVER_PORT } from '../live/support/nat.ts';
import { describeLive } from '../live/support/privilege.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { type How, run } from './support/program.ts';

const FIRST = 40_000;
const IPV4: NatSetup = { family: 'ipv4', first: FIRST, last: FIRST + 99 };
const PORTS = `--snat.ports=${FIRST}-${FIRST + 99}`;
const WITHOUT_NET_ADMIN: How = {
  launcher: ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', '--'],
};

interface Answer {
  readonly netns: string;
  readonly tracked: { readonly entries: number; readonly limit: number };
  readonly destination?: {
    readonly available: number;
    readonly refusalRatio: number;
    readonly used: Readonly<Record<'established' | 'timeWait' | 'other', number>>;
    readonly translated: number;
  };
  readonly holders: readonly { readonly address: string; readonly ports: number; readonly isOwn: boolean }[];
  readonly expiry: { readonly earliestSeconds: number; readonly later: number };
  readonly remedies: readonly {
    readonly remedy: string;
    readonly freesPorts?: number;
    readonly command?: string;
  }[];
  readonly others: readonly { readonly protocol: string; readonly available: number }[];
}

function newNat(setup: NatSetup = IPV4): Nat {
  const nat = new Nat(setup);
  onTestFinished(() => nat.close());
  return nat;
}

async function ask(args: readonly string[], how: How = {}): Promise<Answer> {
  const { code, stdout, stderr } = await run(['snat', ...args, '--json'], how);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

describeLive('port-exporter snat', () => {
  const refusal = natRefusal();
  const hasConntrack = refusal ?? missingTool('conntrack');

  itNeeding(
    hasConntrack,
    'promises as many ports as new flows pass, and names who holds the others',
    async () => {
      const nat = newNat();
      const router = `--netns=${nat.router.name}`;
      nat.connect('udp', 55);
      // Ports that no translated flow has had to give way to.
      const own = freeOf(nat).slice(0, 5);
      nat.connectFromRouter('udp', own);
      const { holders, destination, expiry, others, netns } = await ask([PORTS, router]);
      expect([netns, destination?.available, others]).toEqual([nat.router.name, 40, []]);
      expect(holders.map(({ address, ports, isOwn }) => [address, ports, isOwn])).toEqual([
        [nat.addresses.client, 55, false],
        [nat.addresses.nat, 5, true],
      ]);
      expect(expiry.later).toBe(60);
      expect(nat.connect('udp', 45)).toBe(40);
      expect(await ask([PORTS, router])).toMatchObject({ destination: { available: 0, refusalRatio: 1 } });
      const { stdout } = await run(['snat', PORTS, router]);
      expect(stdout).toContain('0 of 100 ports left (100.0 % used): no new packet finds a port');
      expect(stdout).toMatch(new RegExp(`^${nat.addresses.nat} \\(this namespace\\) +\\d`, 'm'));
    },
  );

  itNeeding(hasConntrack, 'counts what conntrack -L lists, by state', async () => {
    const nat = newNat();
    nat.connect('tcp', 30);
    nat.endConnections();
    nat.connect('tcp', 20);
    const listed = list(nat, 'tcp');
    const count = (state: string) => listed.filter((line) => line.includes(` ${state} `)).length;
    const { destination, tracked } = await ask([PORTS, `--netns=${nat.router.name}`]);
    expect(destination?.used).toEqual({
      ...{ established: count('ESTABLISHED'), timeWait: count('TIME_WAIT') },
      other: listed.length - count('ESTABLISHED') - count('TIME_WAIT'),
    });
    expect(destination?.used).toMatchObject({ established: 20, timeWait: 30 });
    expect(tracked.entries).toBe(listed.length);
  });

  itNeeding(
    refusal,
    'has a remedy whose number is what it frees: TIME_WAIT that would be over, by a command that works',
    async () => {
      const nat = newNat();
      const router = `--netns=${nat.router.name}`;
      const path = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait';
      const set = (seconds: number) => nat.router.inside(() => writeFileSync(path, String(seconds)));
      // What has 40 of 120 seconds left has been waiting for 80, and what has 100 for 20.
      for (const [connections, seconds] of [
        [25, 40],
        [10, 100],
      ] as const) {
        set(seconds);
        nat.connect('tcp', connections);
        nat.endConnections();
      }
      set(120);
      const { destination, remedies } = await ask([PORTS, router]);
      const frees = (wanted: string) =>
        remedies.filter(({ remedy }) => remedy === wanted).map(({ freesPorts }) => freesPorts);
      expect(destination?.available).toBe(65);
      expect([frees('reuseConnections'), frees('shorterTimeWait')]).toEqual([[35], [25, 25]]);
      const { command = '' } = remedies.find(({ remedy }) => remedy === 'shorterTimeWait') ?? {};
      execFileSync('sh', ['-c', command]);
      expect(nat.router.inside(() => readFileSync(path, 'latin1').trim())).toBe('60');
    },
  );

  itNeeding(
    refusal,
    'tells of a service by its address before DNAT and after it, of UDP and IPv6',
    async () => {
      const nat = newNat({ ...IPV4, family: 'ipv6' });
      nat.connect('tcp', 12, { port: 8099, to: nat.addresses.gateway });
      nat.connect('udp', 30);
      const router = `--netns=${nat.router.name}`;
      const { server, gateway } = nat.addresses;
      for (const wanted of [`[${gateway}]:8099`, `[${server}]:${SERVER_PORT}`])
        expect(await ask([wanted, PORTS, router])).toMatchObject({
          holders: [{ address: nat.addresses.client, ports: wanted.includes('8099') ? 12 : 30 }],
        });
      const { others } = await ask([`[${server}]:${SERVER_PORT}`, PORTS, router]);
      expect(others).toMatchObject([{ protocol: 'tcp', available: 88 }]);
      expect((await run(['snat', `[${gateway}]:8099`, PORTS, router])).stdout).toMatch(
        new RegExp(`^\\S+ → \\[${server}\\]:${SERVER_PORT} \\(\\[${gateway}\\]:8099 before DNAT\\), TCP`),
      );
    },
  );

  itNeeding(
    refusal,
    'looks into every namespace, and answers in one line where there is no NAT',
    async () => {
      const nat = newNat();
      const client = `--netns=${nat.client.name}`;
      const { code, stdout } = await run(['snat', client]);
      expect([code, stdout.split('\n').length]).toEqual([0, 2]);
      expect(stdout).toMatch(/^No connection has its source translated in .*: there is no SNAT/);
      nat.connect('udp', 3);
      const wanted = `${nat.addresses.server}:${SERVER_PORT}`;
      expect(await ask([wanted, PORTS, '--netns=all'])).toMatchObject({
        ...{ netns: nat.router.name, destination: { available: 97 } },
      });
      const nothing = await run(['snat', '192.0.2.1:1', PORTS, `--netns=${nat.router.name}`]);
      expect([nothing.code, nothing.stdout]).toEqual([
        0,
        expect.stringMatching(
          /^No port behind a NAT is held towards 192\.0\.2\.1:1 in .*: all 100 are left\./,
        ),
      ]);
    },
  );

  itNeeding(refusal ?? missingTool('setpriv'), 'without CAP_NET_ADMIN is one line', async () => {
    const nat = newNat();
    nat.connect('udp', 3);
    const { code, stdout, stderr } = await run(['snat', `--netns=${nat.router.name}`], WITHOUT_NET_ADMIN);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^port-exporter: tracked connections of \S+: needs CAP_NET_ADMIN: [^\n]*EPERM[^\n]*\n$/,
    );
  });
});

describeLive('explain names the layer that refuses', () => {
  const refusal = natRefusal();

  itNeeding(refusal, 'of a destination that SNAT of another namespace has no port for', async () => {
    const nat = newNat();
    const { client, router, addresses } = nat;
    nat.connect('tcp', 100);
    // The kernel agrees.
    expect(nat.connect('tcp', 5)).toBe(0);
    const wanted = `${addresses.server}:${SERVER_PORT}`;
    const { stdout } = await run(['explain', wanted, PORTS, `--netns=${client.name}`]);
    expect(stdout).toContain(
      `The SNAT of ${router.name} (NAT address ${addresses.nat}) refuses, and not connect(): ` +
        '0 of 100 ports left, 100.0 % of new packets dropped in silence.\n',
    );
    const command = `port-exporter snat ${wanted} --netns=${router.name} ${PORTS}`;
    expect(stdout).toContain(`\nTO EXPLAIN THE SNAT\n${command}\n`);
    expect(await ask(command.split(' ').slice(2))).toMatchObject({ destination: { available: 0 } });
    const all = await run(['explain', wanted, PORTS, '--netns=all', '--json']);
    expect(JSON.parse(all.stdout)).toMatchObject({
      snat: { layers: [{ netns: router.name, isPassed: true, available: 0, refusalRatio: 1 }] },
    });
  });

  itNeeding(
    refusal,
    'through a service’s address, and by the ports of others where it has no connection',
    async () => {
      const nat = newNat();
      const { client, server, router, addresses } = nat;
      nat.connect('tcp', 40, { port: 8099, to: addresses.gateway });
      const layers = async (netns: string, wanted: string) => {
        const { stdout } = await run(['explain', wanted, PORTS, `--netns=${netns}`, '--json']);
        return JSON.parse(stdout).snat.layers;
      };
      const layer = { netns: router.name, remoteAddress: addresses.server, available: 60, refusalRatio: 0 };
      expect(await layers(client.name, `${addresses.gateway}:8099`)).toMatchObject([
        { ...layer, isPassed: true },
      ]);
      expect(await layers(server.name, `${addresses.gateway}:8099`)).toMatchObject([
        { ...layer, isPassed: false },
      ]);
      expect(await layers(client.name, '192.0.2.1:1')).toEqual([]);
    },
  );

  itNeeding(
    refusal ?? missingTool('setpriv'),
    'and says that it did not look, without CAP_NET_ADMIN',
    async () => {
      const nat = newNat();
      nat.connect('tcp', 3);
      const wanted = `${nat.addresses.server}:${SERVER_PORT}`;
      const { code, stdout } = await run(
        ['explain', wanted, `--netns=${nat.client.name}`],
        WITHOUT_NET_ADMIN,
      );
      expect(code).toBe(0);
      expect(stdout).toMatch(/^SNAT was not looked at: tracked connections of \S+: needs CAP_NET_ADMIN: /m);
    },
  );

  itNeeding(
    refusal,
    'and gives ports of TIME_WAIT as free where the kernel ends them for new connections',
    async () => {
      const nat = newNat({ ...IPV4, last: FIRST + 29 });
      nat.connect('tcp', 30);
      nat.endConnections();
      const ports = `--snat.ports=${FIRST}-${FIRST + 29}`;
      const { destination } = await ask([ports, `--netns=${nat.router.name}`]);
      const doesEvict = evictsClosing(release());
      expect(destination).toMatchObject({ available: 0, used: { timeWait: 30 } });
      expect(destination?.refusalRatio).toBeCloseTo(doesEvict ? 0 : 1, 6);
      expect(nat.connect('tcp', 10)).toBe(doesEvict ? 10 : 0);
    },
  );
});

/** Lines of conntrack -L. */
function list(nat: Nat, protocol: string): string[] {
  const text = execFileSync('ip', ['netns', 'exec', nat.router.name, 'conntrack', '-L', '-p', protocol], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return text.split('\n').filter((line) => line !== '');
}

/** Ports of the range that no tracked connection has. */
function freeOf(nat: Nat): number[] {
  const taken = new Set(
    list(nat, 'udp').flatMap((line) => [...line.matchAll(/dport=(\d+)/g)].map(([, port]) => Number(port))),
  );
  return Array.from({ length: 100 }, (_, index) => FIRST + index).filter((port) => !taken.has(port));
}
