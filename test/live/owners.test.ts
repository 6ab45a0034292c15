import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { fullResults } from '../../src/snapshot/sample.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { Actor } from './support/actor.ts';
import { newCgroups, UNIQUE } from './support/cgroups.ts';
import { newWorld, times } from './support/exact.ts';
import { Exporter, newExporter, sampled } from './support/exporter.ts';
import { KERNEL_SHOWS_DESCRIPTOR_INODES, SLOWNESS } from './support/kernel.ts';
import { describeInCgroups, describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const NOBODY = 65_534;
const SLICE = `${UNIQUE}.slice`;
const UNIT = `${UNIQUE}-a.service`;
const CONTAINER = '0123456789ab'.padEnd(64, 'c');
const POD = '1b2c3d4e-0000-4000-8000-00000000cafe';

describeInCgroups('Owners of ephemeral ports', () => {
  it('the unit, container, pod or path whose cgroup opened the sockets; cgroups of one owner added up', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    cgroups.within(`${SLICE}/${UNIT}`, () => times(3, () => world.connect('127.0.0.1')));
    cgroups.within(`${SLICE}/${UNIT}/workers`, () => times(2, () => world.connect('127.0.0.1')));
    cgroups.within(`${SLICE}/docker-${CONTAINER}.scope`, () => times(4, () => world.connect('127.0.0.1')));
    const pod = `${SLICE}/kubepods-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope`;
    cgroups.within(pod, () => times(6, () => world.connect('127.0.0.1')));
    cgroups.within(`${SLICE}/plain`, () => times(7, () => world.connect('127.0.0.1')));
    const exporter = await sampled();
    expect(portsByOwner(exporter, 'tcp')).toEqual({
      [UNIT]: 5,
      [`container/${CONTAINER.slice(0, 12)}`]: 4,
      [`pod/${POD}/${CONTAINER.slice(0, 12)}`]: 6,
      [`/${SLICE}/plain`]: 7,
    });
    expect(exporter.value('port_owners', { protocol: 'tcp' })).toBe(4);
  });

  it('the one to whom a cgroup was given, whatever it calls those that it makes below', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    const pod = `kubepods-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope`;
    const claims = [pod, `kubepods/burstable/pod${POD}/${CONTAINER}`, CONTAINER, `docker-${CONTAINER}.scope`];
    const other = `docker-${'f'.repeat(64)}.scope`;
    for (const claim of [...claims, 'nginx.service']) {
      for (const tenant of [UNIT, other]) {
        cgroups.within(`${SLICE}/${tenant}/${claim}`, () => world.connect('127.0.0.1'));
      }
    }
    const owners = portsByOwner(await sampled(), 'tcp');
    expect(owners).toEqual({ [UNIT]: 5, 'container/ffffffffffff': 5 });
  });

  it('every kind of socket that holds a port; a port held twice counts once', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.2', 8001);
    world.listen('127.0.0.1', 8001);
    cgroups.within(`${SLICE}/${UNIT}`, () => {
      world.listen('127.0.0.1', 40_000);
      world.connect('127.0.0.1', 8001, { from: '127.0.0.1', port: 40_001 });
      world.connect('127.0.0.2', 8001, { from: '127.0.0.2', port: 40_001 });
      world.connect('::ffff:127.0.0.1');
      // On the wildcard and first, so that no automatic choice takes the same port.
      world.bound('::', 40_050, { type: 'udp' });
      world.connectUdp('127.0.0.1');
      // Outside of the range.
      world.listen('127.0.0.1', 8002);
      world.bound('127.0.0.1', 53, { type: 'udp' });
    });
    const exporter = await sampled();
    expect(portsByOwner(exporter, 'tcp')).toEqual({ [UNIT]: 3 });
    expect(portsByOwner(exporter, 'udp')).toEqual({ [UNIT]: 2 });
  });

  it('TIME_WAIT has no cgroup any more: unattributed', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    cgroups.within(`${SLICE}/${UNIT}`, () => {
      world.timeWait(4, '127.0.0.1');
      times(2, () => world.connect('127.0.0.1'));
    });
    expect(portsByOwner(await sampled(), 'tcp')).toEqual({ [UNIT]: 2, unattributed: 4 });
  });

  it('whose the ports of the fullest destinations are, from the second sample on', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    world.listen('127.0.0.2', 8001);
    cgroups.within(`${SLICE}/${UNIT}`, () => {
      times(3, () => world.connect('127.0.0.1'));
      world.timeWait(4, '127.0.0.1');
    });
    cgroups.within(`${SLICE}/other.service`, () => {
      times(2, () => world.connect('127.0.0.1'));
      world.connect('127.0.0.2');
    });
    const exporter = new Exporter();
    const told = async () => {
      const { namespaces } = await exporter.sample();
      const fullest = namespaces.flatMap((one) => fullResults(one).tcp?.destinations.fullest ?? []);
      return fullest.map(({ remoteAddress, owners }) => [
        remoteAddress,
        owners?.map(({ owner, ports }) => ({ owner, ports })),
      ]);
    };
    expect(await told()).toEqual([
      ['127.0.0.1', undefined],
      ['127.0.0.2', undefined],
    ]);
    expect(await told()).toEqual([
      [
        '127.0.0.1',
        [
          { owner: 'unattributed', ports: 4 },
          { owner: UNIT, ports: 3 },
          { owner: 'other.service', ports: 2 },
        ],
      ],
      ['127.0.0.2', [{ owner: 'other.service', ports: 1 }]],
    ]);
    exporter.close();
  });

  it('a removed cgroup: who saw it remembers it, who comes later does not', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    cgroups.within(`${SLICE}/${UNIT}`, () => times(3, () => world.connect('127.0.0.1')));
    const witness = await sampled();
    cgroups.remove(cgroups.make(`${SLICE}/${UNIT}`));
    await witness.sample();
    expect(portsByOwner(witness, 'tcp')).toEqual({ [UNIT]: 3 });
    expect(portsByOwner(await sampled(), 'tcp')).toEqual({ unattributed: 3 });

    // What is made at its place afterwards is another one, of the same name.
    cgroups.within(`${SLICE}/${UNIT}`, () => times(2, () => world.connect('127.0.0.1')));
    await witness.sample();
    expect(portsByOwner(witness, 'tcp')).toEqual({ [UNIT]: 5 });
  });

  it('cgroups that come and go during every sample lose nothing but their names', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    const exporter = newExporter();
    for (let round = 0; round < 20; round++) {
      const path = `${SLICE}/${UNIQUE}-${round}.service`;
      cgroups.within(path, () => times(2, () => world.connect('127.0.0.1')));
      if (round % 2 === 0) await exporter.sample();
      rmdirSync(cgroups.make(path));
    }
    await exporter.sample();
    const ports = portsByOwner(exporter, 'tcp');
    expect(Object.values(ports).reduce((sum, held) => sum + held, 0)).toBe(40);
    expect(Object.keys(ports)).toHaveLength(11);
    expect(ports['unattributed']).toBe(20);
  });

  it('--owners.limit takes those with most and says what it left out; 0 attributes nothing', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    times(3, (i) =>
      cgroups.within(`${SLICE}/${UNIQUE}-${i}.service`, () => times(i + 1, () => world.connect('127.0.0.1'))),
    );
    const limits = { destinations: 20, localAddresses: 20, listeners: 20, snat: 20 };
    const exporter = await sampled({ limits: { ...limits, owners: 1 } });
    expect(portsByOwner(exporter, 'tcp')).toEqual({ [`${UNIQUE}-2.service`]: 3 });
    expect(exporter.value('port_owners', { protocol: 'tcp' })).toBe(3);
    expect(exporter.value('port_exporter_omitted_series', { metric: 'port_owner_ephemeral_ports' })).toBe(2);

    const without = await sampled({ limits: { ...limits, owners: 0 } });
    expect(without.values('port_owner_ephemeral_ports')).toEqual([]);
    expect(without.values('port_owners')).toEqual([]);
    expect(without.values('port_exporter_omitted_series', { metric: 'port_owner_ephemeral_ports' })).toEqual(
      [],
    );
  });
});

describeInCgroups('Processes of listeners', () => {
  it('process, user and owner of who holds the socket', async () => {
    newWorld();
    const cgroups = newCgroups();
    const server = new Actor();
    await server.enterCgroup(cgroups.make(`${SLICE}/${UNIT}`));
    await server.rename('my server');
    await server.listen('127.0.0.1', 8001);
    const other = new Actor();
    await other.enterCgroup(cgroups.make(`${SLICE}/docker-${CONTAINER}.scope`));
    await other.becomeUser(NOBODY);
    await other.listen('::1', 8002);
    const exporter = await sampled();
    expect(infoOf(exporter, 8001)).toMatchObject({ process: 'my server', user: 'root', owner: UNIT });
    expect(infoOf(exporter, 8002)).toMatchObject({
      user: 'nobody',
      owner: `container/${CONTAINER.slice(0, 12)}`,
    });

    // Names change, and so do users.
    await server.rename('renamed');
    await server.becomeUser(NOBODY);
    await exporter.sample();
    expect(infoOf(exporter, 8001)).toMatchObject({ process: 'renamed', user: 'nobody', owner: UNIT });
  });

  it('processes killed while they are looked at', async () => {
    newWorld();
    const exporter = newExporter();
    for (let round = 0; round < 3; round++) {
      const servers = Array.from({ length: 6 }, () => new Actor());
      await Promise.all(servers.map((server, i) => server.listen('127.0.0.1', 8001 + i)));
      const late = newExporter();
      for (const server of servers) {
        server.startKilling();
        // Each throws where a collector failed.
        await exporter.sample();
        await late.sample();
      }
      await Promise.all(servers.map((server) => server.kill()));
      await exporter.sample();
      expect(exporter.series('port_listener_info')).toEqual([]);
    }
  });

  it('of a socket that was handed on, who has it now', async () => {
    const world = newWorld();
    const fd = world.listen('127.0.0.1', 8001);
    const exporter = await sampled();
    const before = infoOf(exporter, 8001)['process'];
    const heir = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    onTestFinished(async () => {
      heir.kill('SIGKILL');
      await once(heir, 'exit');
    });
    // The one with the lowest pid counts, and this process is the older.
    await exporter.sample();
    expect(infoOf(exporter, 8001)['process']).toBe(before);
    world.end(fd);
    await exporter.sample();
    expect(infoOf(exporter, 8001)['process']).toBe('sleep');
  });
});

describeInCgroups('Processes of sockets that systemd opened', () => {
  it('are in the service of the same name', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    const fd = cgroups.within(`${SLICE}/${UNIQUE}-b.socket`, () => world.listen('127.0.0.1', 8001));
    const service = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    onTestFinished(() => void service.kill('SIGKILL'));
    cgroups.enter(`${SLICE}/${UNIQUE}-b.service`, service.pid ?? Number.NaN);
    world.end(fd);
    expect(infoOf(await sampled(), 8001)).toMatchObject({ process: 'sleep', owner: `${UNIQUE}-b.socket` });
  });
});

const HOSTILE_NAMES: [string, Uint8Array][] = [
  ['a newline and what looks like a series', Buffer.from('x"} 1\nport_x 1')],
  ['quotes and backslashes', Buffer.from('a"b\\"c\\nd\\')],
  ['terminal escapes', Buffer.from('\x1b[31mred\x1b]0;t\x07')],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x22, 0x0a, 0xc3, 0x28, 0xed, 0xa0, 0x80])],
  ['controls of every kind', Buffer.from('\r\t\b\x7f\u0085\u202e)')],
  ['what looks like the rest of /proc/<pid>/stat', Buffer.from(') S 1 2 3 ( x')],
];

describeLive('Hostile process names', () => {
  it.for(HOSTILE_NAMES)('%s', async ([, name]) => {
    newWorld();
    const server = new Actor();
    await server.rename(name);
    await server.listen('127.0.0.1', 8001);
    const exporter = await sampled();
    const shown = infoOf(exporter, 8001)['process'] ?? '';
    expect(shown).not.toBe('');
    expect(shown).toMatch(PRINTABLE);
    expect(exporter.series('port_listener_info')).toHaveLength(1);
    if (!promtoolIsMissing) expect(promtool(exporter.text)).toEqual({ status: 0, said: '' });

    const table = run('listeners');
    expect(table.status).toBe(0);
    expect(table.stdout.split('\n').filter((line) => line !== '')).toHaveLength(2);
    for (const line of table.stdout.split('\n')) expect(line).toMatch(PRINTABLE);
    const { listeners } = JSON.parse(run('listeners', '--json').stdout) as {
      listeners: { process: string }[];
    };
    expect(listeners.map(({ process }) => process)).toEqual([shown]);
  });
});

describeLive('Without privilege', () => {
  const asOthers: [string, string[]][] = [
    ['another user', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']],
    ['root without capabilities', ['--bounding-set=-all', '--inh-caps=-all']],
  ];

  it.for(asOthers)(
    '%s, --once: labels empty, success, one line that names the capabilities',
    async ([, who], { skip }) => {
      skip(!mayRead(who), 'the checkout is not for everyone to read');
      await listenAsTwo(newWorld());
      const { status, stdout, stderr } = run({ as: who }, '--once', '--namespaces=self');
      expect(status).toBe(0);
      expectUnnamed(parseExposition(stdout));
      expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(NAMES_CAPABILITIES)]);
    },
  );

  it.for(asOthers)('%s, running: the same, and the line only once', async ([, who], { skip }) => {
    skip(!mayRead(who), 'the checkout is not for everyone to read');
    await listenAsTwo(newWorld());
    const flags = [
      '--namespaces=self',
      '--web.listen-address=127.0.0.1:10069',
      '--sample.interval=20ms',
      '--sample.max-duty=1',
    ];
    const child = spawn('setpriv', [...who, process.execPath, MAIN, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    onTestFinished(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    const seen = new Set<number>();
    for (const end = Date.now() + 15_000 * SLOWNESS; seen.size < 5 && Date.now() < end; await sleep(20)) {
      const series = await scrape().catch(() => []);
      const timestamp = series.find(({ name }) => name === 'port_exporter_sample_timestamp_seconds');
      if (timestamp === undefined) continue;
      seen.add(timestamp.value);
      // The exporter listens too.
      expectUnnamed(series.filter(({ labels }) => labels['port'] !== '10069'));
    }
    expect(seen.size).toBeGreaterThanOrEqual(5);
    // One line says what is read, and why not by BPF.
    const lines = said
      .split('\n')
      .filter((line) => /CAP_|processes/.test(line) && !line.includes('reading socket tables'));
    expect(lines).toEqual([expect.stringMatching(NAMES_CAPABILITIES)]);
  });

  /** One socket of this process and one of another user's: neither may be looked into. */
  async function listenAsTwo(world: World): Promise<void> {
    world.listen('127.0.0.1', 8001);
    const other = new Actor();
    await other.listen('127.0.0.1', 8002);
  }

  function expectUnnamed(series: readonly Series[]): void {
    const infos = series.filter(({ name }) => name === 'port_listener_info');
    expect(infos.map(({ labels }) => [labels['port'], labels['process'], labels['user']])).toEqual([
      ['8001', '', ''],
      ['8002', '', ''],
    ]);
    const successes = series.filter(({ name }) => name === 'port_exporter_sample_success');
    expect(successes.map(({ labels, value }) => [labels['collector'], value]).toSorted()).toEqual([
      ['canary', 1],
      ['conntrack', 1],
      ['owners', 1],
      ['processes', 1],
      ['range', 1],
      ['snat', 1],
      ['tcp', 1],
      ['udp', 1],
    ]);
  }
});

describeLive('With CAP_SYS_PTRACE alone', () => {
  const who = [
    ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
    ...['--inh-caps=-all,+sys_ptrace', '--ambient-caps=-all,+sys_ptrace', '--bounding-set=-all,+sys_ptrace'],
  ];

  it.skipIf(!KERNEL_SHOWS_DESCRIPTOR_INODES)(
    "another user is told the processes and users of everybody's listeners",
    async ({ skip }) => {
      skip(!mayRead(who), 'the checkout is not for everyone to read');
      newWorld().listen('127.0.0.1', 8001);
      const other = new Actor();
      await other.listen('127.0.0.1', 8002);
      await other.rename(Buffer.from('somebody'));
      const { status, stdout, stderr } = run({ as: who }, '--once', '--namespaces=self');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const infos = parseExposition(stdout).filter(({ name }) => name === 'port_listener_info');
      expect(infos.map(({ labels }) => [labels['port'], labels['process'], labels['user']])).toEqual([
        ['8001', readFileSync('/proc/self/comm', 'utf8').trimEnd(), 'root'],
        ['8002', 'somebody', 'root'],
      ]);
    },
  );
});

const NAMES_CAPABILITIES = KERNEL_SHOWS_DESCRIPTOR_INODES
  ? /level=warn.*needs CAP_SYS_PTRACE: pid \d+/
  : /level=warn.*needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: pid \d+/;
/** No control, no half of a surrogate pair, and nothing that turns text around. */
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*$/u;

const promtoolIsMissing =
  spawnSync('promtool', ['--version']).error !== undefined && process.env['CI'] !== 'true';

function promtool(text: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
}

/** Runs the built program to its end, in the network namespace of this thread; `as`: flags of setpriv(1). */
function run(...args: [{ as: string[] }, ...string[]] | string[]) {
  const [first, ...rest] = args;
  const [program, before, flags] =
    typeof first === 'object'
      ? ['setpriv', [...first.as, process.execPath], rest as string[]]
      : [process.execPath, [], args as string[]];
  return spawnSync(program, [...before, MAIN, ...flags], { encoding: 'utf8', timeout: 20_000 * SLOWNESS });
}

/** A checkout below a private directory cannot be read by everyone. */
function mayRead(who: readonly string[]): boolean {
  return spawnSync('setpriv', [...who, 'test', '-r', MAIN]).status === 0;
}

/** By way of this thread's namespace: Node.js makes its sockets on it. */
async function scrape(): Promise<Series[]> {
  const response = await fetch('http://127.0.0.1:10069/metrics', { headers: { connection: 'close' } });
  return response.ok ? parseExposition(await response.text()) : [];
}

function portsByOwner(exporter: Exporter, protocol: 'tcp' | 'udp'): Record<string, number> {
  const series = exporter.series('port_owner_ephemeral_ports', { protocol });
  return Object.fromEntries(series.map(({ labels, value }) => [labels['owner'] ?? '', value]));
}

function infoOf(exporter: Exporter, port: number): Readonly<Record<string, string>> {
  const [series, ...more] = exporter.series('port_listener_info', { port });
  if (series === undefined || more.length > 0) throw new Error(`${more.length} more series of port ${port}`);
  return series.labels;
}
