import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { times } from './support/exact.ts';
import {
  cgroupMount,
  endHolder,
  namespaceInodeOf,
  newCgroup,
  newHolder,
  newHolderIn,
} from './support/holder.ts';
import { HostExporter } from './support/hostExporter.ts';
import { READS_BUCKETS, SLOWNESS, sleepMs } from './support/kernel.ts';
import { NAME_PREFIX, NamedNamespace } from './support/namedNamespace.ts';
import { describeLive } from './support/privilege.ts';
import { SERVER_PORT, untilRefused, type World } from './support/world.ts';

function detailOf(exporter: HostExporter, netns: string): number | undefined {
  return exporter.value('port_exporter_sample_detail', { netns });
}

function ratioOf(
  exporter: HostExporter,
  netns: string,
  protocol: 'tcp' | 'udp',
  scope: 'connect' | 'bind',
): number {
  return exporter.value('port_exhaustion_ratio', { netns, protocol, scope }) ?? Number.NaN;
}

describeLive('what is promised of another namespace is what its kernel gives', () => {
  const PREPARED: readonly (readonly [string, (world: World) => void])[] = [
    ['nothing', () => {}],
    ['connections', (world) => times(30, () => world.connect('127.0.0.1'))],
    [
      'listeners, bound sockets and connections',
      (world) => {
        times(5, (i) => world.listen('127.0.0.8', 40010 + i));
        times(15, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.9' }));
        times(20, () => world.connect('127.0.0.1'));
        times(7, () => world.connectUdp('127.0.0.1'));
      },
    ],
    ['TIME_WAIT', (world) => world.timeWait(25, '127.0.0.1')],
  ];

  it.each(PREPARED)('%s', async (_, prepare) => {
    const namespace = new NamedNamespace({ twReuse: 0 });
    const exporter = new HostExporter();
    namespace.inside(prepare);
    await exporter.sample();
    await exporter.sample();
    const { name: netns } = namespace;
    expect(detailOf(exporter, netns)).toBe(1);
    const connect =
      exporter.value('port_destination_available_ports', {
        ...{ netns, local_address: '127.0.0.1', remote_address: '127.0.0.1' },
      }) ?? exporter.value('port_connect_capacity_ports', { netns, protocol: 'tcp' });
    const udp = exporter.value('port_exhaustion_available_ports', {
      ...{ netns, protocol: 'udp', scope: 'connect' },
    });
    const given = namespace.inside((world) => ({
      connect: untilRefused(() => world.connect('127.0.0.1')),
      udp: untilRefused(() => world.connectUdp('127.0.0.1')),
    }));
    expect(given).toEqual({
      connect: { succeeded: connect, error: 'EADDRNOTAVAIL' },
      udp: { succeeded: udp, error: 'EAGAIN' },
    });
    await exporter.sample();
    expect(ratioOf(exporter, netns, 'tcp', 'connect')).toBe(1);
    expect(ratioOf(exporter, netns, 'udp', 'connect')).toBe(1);
  });

  it('each with a range and reserved ports of its own, from netlink and from procfs', async () => {
    const namespaces = [
      new NamedNamespace({ range: [20000, 20049], reserved: '20000-20009' }),
      new NamedNamespace({ range: [30000, 30199] }),
      new NamedNamespace({ range: [50000, 50019], reserved: '1,50019,60000' }),
    ];
    for (const source of ['netlink', 'procfs'] as const) {
      const exporter = new HostExporter({ source });
      for (const namespace of namespaces) namespace.inside((world) => world.connect('127.0.0.1'));
      await exporter.sample();
      const connections = source === 'netlink' ? 1 : 2;
      const seen = namespaces.map(({ name: netns }) => [
        exporter.value('port_ephemeral_range_first_port', { netns }),
        exporter.value('port_ephemeral_range_last_port', { netns }),
        exporter.value('port_ephemeral_reserved_ports', { netns }),
        exporter.value('port_ephemeral_ports', { netns }),
        exporter.value('port_destination_available_ports', { netns }),
      ]);
      expect(seen).toEqual([
        [20000, 20049, 10, 40, 40 - connections],
        [30000, 30199, 0, 200, 200 - connections],
        [50000, 50019, 1, 19, 19 - connections],
      ]);
      exporter.close();
    }
    for (const [index, namespace] of namespaces.entries()) {
      const { succeeded } = namespace.inside((world) => untilRefused(() => world.connect('127.0.0.1')));
      expect(succeeded).toBe([38, 198, 17][index]);
    }
  });
});

/** Where all namespaces are read in one walk, none is estimated. */
const ONE_BY_ONE = { source: 'netlink' } as const;

describeLive('a namespace that is not read whole', () => {
  it('shows bounds, and no destination', async () => {
    const namespace = new NamedNamespace();
    const { name: netns } = namespace;
    namespace.inside((world) => {
      times(20, () => world.connect('127.0.0.1'));
      times(10, () => world.connectUdp('127.0.0.1'));
    });
    const exact = new HostExporter();
    await exact.sample();
    const exporter = new HostExporter({ ...ONE_BY_ONE, fullDumpAbove: 0.9 });
    await exporter.sample();
    expect(detailOf(exporter, netns)).toBe(0);
    for (const protocol of ['tcp', 'udp'] as const) {
      for (const scope of ['connect', 'bind'] as const) {
        const bound = ratioOf(exporter, netns, protocol, scope);
        expect(bound).toBeGreaterThanOrEqual(ratioOf(exact, netns, protocol, scope));
        expect(bound).toBe(exporter.value('port_exhaustion_peak_ratio', { netns, protocol, scope }));
      }
    }
    expect(ratioOf(exporter, netns, 'udp', 'connect')).toBeCloseTo(0.1);
    for (const name of [
      ...[
        'port_exhaustion_available_ports',
        'port_connect_capacity_ports',
        'port_destinations',
        'port_sockets',
      ],
      ...[
        'port_destination_available_ports',
        'port_exporter_sampled_sockets',
        'port_ephemeral_blocked_ports',
      ],
    ]) {
      expect(exporter.series(name, { netns }), name).toEqual([]);
      expect(exact.series(name, { netns }), name).not.toEqual([]);
    }
    expect(exporter.value('port_ephemeral_ports', { netns })).toBe(100);
    expect(exporter.value('port_listener_accept_queue', { netns, port: SERVER_PORT })).toBe(20);
  });

  it('is read whole as soon as its bound exceeds the share, until the truth was below it for a peak window', async () => {
    const namespace = new NamedNamespace();
    const { name: netns } = namespace;
    const exporter = new HostExporter({ ...ONE_BY_ONE, fullDumpAbove: 0.5, peakWindowMs: 300 });
    const held = namespace.inside((world) => Array.from({ length: 10 }, () => world.connect('127.0.0.1')));
    await exporter.sample();
    expect(detailOf(exporter, netns)).toBe(0);
    held.push(...namespace.inside((world) => Array.from({ length: 50 }, () => world.connect('127.0.0.1'))));
    await exporter.sample();
    expect(detailOf(exporter, netns)).toBe(1);
    expect(ratioOf(exporter, netns, 'tcp', 'connect')).toBeCloseTo(0.6);
    // The bound was above 1: it is no peak of what is known exactly.
    expect(
      exporter.value('port_exhaustion_peak_ratio', { netns, protocol: 'tcp', scope: 'connect' }),
    ).toBeCloseTo(0.6);
    namespace.inside((world) => {
      for (const fd of held) world.abort(fd);
      // Until somebody accepts them the server's ends are sockets too.
      for (const _ of held) world.end(world.accept('127.0.0.1'));
    });
    await exporter.sample();
    expect(detailOf(exporter, netns)).toBe(1);
    expect(ratioOf(exporter, netns, 'tcp', 'connect')).toBe(0);
    sleepMs(320);
    await exporter.sample();
    await exporter.sample();
    expect(detailOf(exporter, netns)).toBe(0);
  });

  it('never has a bound below the truth, whatever its sockets are', async () => {
    const namespace = new NamedNamespace({ range: [40000, 41999], twReuse: 0 });
    const { name: netns } = namespace;
    const exact = new HostExporter();
    const bounded = new HostExporter({ ...ONE_BY_ONE, fullDumpAbove: 1 });
    namespace.inside((world) => {
      world.addIpv6('fd00::7');
      world.listen('127.0.0.1', SERVER_PORT);
    });
    const halfClosed = (world: World) => {
      // The server's end stays open: the client's is an orphan in FIN_WAIT2, and then a minisocket.
      world.end(world.connect('127.0.0.1'));
      world.accept('127.0.0.1');
    };
    const acts: readonly (readonly [string, (world: World) => unknown])[] = [
      ['bound-only', (world) => world.bound('127.0.0.7')],
      ['bound-only IPv6', (world) => world.bound('::1')],
      ['bound-only wildcard', (world) => world.bound('::')],
      ['connected', (world) => world.connect('127.0.0.1')],
      ['connected, mapped', (world) => world.connect('::ffff:127.0.0.1')],
      ['connected IPv6', (world) => world.connect('fd00::7')],
      ['bound and connected', (world) => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.9' })],
      ['half closed', halfClosed],
      ['TIME_WAIT', (world) => world.timeWait(1, '127.0.0.3')],
      [
        'TIME_WAIT of a bound one',
        (world) => world.timeWait(1, '127.0.0.3', SERVER_PORT, { from: '127.0.0.4' }),
      ],
      ['UDP', (world) => world.connectUdp('127.0.0.1')],
      ['UDP IPv6', (world) => world.connectUdp('::1')],
      ['UDP bound', (world) => world.bound('::', 0, { type: 'udp' })],
    ];
    for (const [what, act] of acts) {
      namespace.inside((world) => times(25, () => act(world)));
      await exact.sample();
      await bounded.sample();
      expect(detailOf(bounded, netns)).toBe(0);
      for (const protocol of ['tcp', 'udp'] as const) {
        const highest = Math.max(
          ratioOf(exact, netns, protocol, 'connect'),
          ratioOf(exact, netns, protocol, 'bind'),
          Number(exact.value('port_ephemeral_used_ports', { netns, protocol })) / 2000,
        );
        const bound = ratioOf(bounded, netns, protocol, 'connect');
        expect(Math.round(bound * 2000), `${protocol}: ${what}`).toBeGreaterThanOrEqual(
          Math.round(highest * 2000),
        );
      }
    }
  });

  it('takes turns where not all can be read in one round, and its age says how long ago that was', async () => {
    const namespaces = Array.from({ length: 4 }, () => new NamedNamespace());
    for (const namespace of namespaces) namespace.inside((world) => world.connect('127.0.0.1'));
    // The budget is over as soon as the round begins: two whole dumps a round.
    const exporter = new HostExporter({ ...ONE_BY_ONE, intervalMs: 1, maxDuty: 1e-9 });
    const details = () => namespaces.map(({ name }) => detailOf(exporter, name));
    const ages = () =>
      namespaces.map(({ name }) =>
        Number(exporter.value('port_exporter_sample_age_seconds', { netns: name })),
      );
    const begins: number[] = [];
    let end = 0;
    for (const wanted of [2, 4, 4]) {
      begins.push(performance.now());
      await exporter.sample();
      end = performance.now();
      expect(details().filter((detail) => detail === 1)).toHaveLength(wanted);
      sleepMs(100);
    }
    // Two were read again in this round, the others in the one before: however fast the machine is.
    const sorted = ages().toSorted((a, b) => a - b);
    const [, before = 0, last = 0] = begins.map((begin) => (end - begin) / 1000);
    expect(sorted[1]).toBeLessThan(last);
    expect(sorted[2]).toBeGreaterThanOrEqual(0.09);
    expect(sorted[3]).toBeLessThan(before);
    // One that comes later, and may be full, does not wait.
    const late = new NamedNamespace();
    late.inside((world) => times(40, () => world.connect('127.0.0.1')));
    await exporter.sample();
    expect(detailOf(exporter, late.name)).toBe(1);
  });

  it('reads the one that may be fullest first, and whoever asks once has no budget', async () => {
    const namespaces = Array.from({ length: 6 }, () => new NamedNamespace());
    for (const [index, namespace] of namespaces.entries()) {
      namespace.inside((world) => times(index === 3 ? 40 : 5, () => world.connect('127.0.0.1')));
    }
    const fullest = namespaces[3]?.name ?? '';
    const budgeted = new HostExporter({ ...ONE_BY_ONE, intervalMs: 1, maxDuty: 1e-9 });
    for (const _ of [1, 2, 3]) {
      await budgeted.sample();
      expect(detailOf(budgeted, fullest)).toBe(1);
      expect(budgeted.value('port_exporter_sample_age_seconds', { netns: fullest })).toBeLessThan(
        0.09 * SLOWNESS,
      );
      sleepMs(100);
    }
    const once = new HostExporter({ intervalMs: 1, maxDuty: 1e-9, hasBudget: false });
    await once.sample();
    expect(namespaces.map(({ name }) => detailOf(once, name))).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('above the limit only those with most sockets are sampled', async () => {
    const namespaces = Array.from({ length: 5 }, (_, index) => {
      const namespace = new NamedNamespace();
      namespace.inside((world) => times(index, () => world.connect('127.0.0.1')));
      return namespace;
    });
    const exporter = new HostExporter({ namespacesLimit: 2 });
    const seen = () =>
      exporter
        .series('port_exporter_sample_detail')
        .map(({ labels }) => labels['netns'])
        .filter((netns) => netns?.startsWith(NAME_PREFIX));
    await exporter.sample();
    expect(seen().toSorted()).toEqual(namespaces.slice(3).map(({ name }) => name));
    expect(exporter.value('port_exporter_omitted_series', { metric: 'port_namespace_info' })).toBe(3);
    namespaces[0]?.inside((world) => times(30, () => world.connect('127.0.0.1')));
    await exporter.sample();
    expect(seen().toSorted()).toEqual([namespaces[0]?.name, namespaces[4]?.name]);
  });
});

describeLive('namespaces come, change and go while samples are taken', () => {
  function infoOf(exporter: HostExporter, inode: number): unknown {
    return exporter.series('port_namespace_info', { inode }).map(({ labels }) => {
      const { inode: _, ...rest } = labels;
      return rest;
    });
  }

  it('a name stays the same while the namespace lives, whoever is in it', async () => {
    const exporter = new HostExporter({ namespaces: 'all' });
    const holder = await newHolder();
    const inode = namespaceInodeOf(holder.pid);
    const netns = `net:[${inode}]`;
    const asNamed = { netns, container: '', pod_uid: '', process: 'sleep' };
    await exporter.sample();
    expect(infoOf(exporter, inode)).toEqual([asNamed]);
    const name = `${NAME_PREFIX}late`;
    execFileSync('ip', ['netns', 'attach', name, String(holder.pid)]);
    try {
      await exporter.sample();
      expect(infoOf(exporter, inode)).toEqual([asNamed]);
      await endHolder(holder);
      await exporter.sample();
      expect(infoOf(exporter, inode)).toEqual([{ ...asNamed, process: '' }]);
      expect(exporter.value('port_exporter_sample_success', { netns, collector: 'enter' })).toBe(1);
      const next = await newHolder(['nsenter', `--net=/run/netns/${name}`, 'sleep', '1000']);
      await exporter.sample();
      expect(infoOf(exporter, inode)).toEqual([asNamed]);
      await endHolder(next);
    } finally {
      execFileSync('ip', ['netns', 'delete', name]);
    }
    await exporter.sample();
    expect(infoOf(exporter, inode)).toEqual([]);
    expect(exporter.series('port_exporter_sample_success', { netns })).toEqual([]);
  });

  it('a namespace of another kind that has a name there is none, until a network namespace has it', async () => {
    const exporter = new HostExporter({ namespaces: 'all' });
    const name = `${NAME_PREFIX}other`;
    const path = `/run/netns/${name}`;
    writeFileSync(path, '');
    execFileSync('unshare', ['--uts', 'mount', '--bind', '/proc/self/ns/uts', path]);
    try {
      for (let round = 0; round < 2; round++) {
        await exporter.sample();
        expect(infoOf(exporter, statSync(path).ino)).toEqual([]);
        expect(exporter.series('port_exporter_sample_success', { netns: name })).toEqual([]);
      }
      execFileSync('umount', [path]);
      execFileSync('unshare', ['--net', 'mount', '--bind', '/proc/self/ns/net', path]);
      await exporter.sample();
      expect(exporter.value('port_exporter_sample_success', { netns: name, collector: 'enter' })).toBe(1);
    } finally {
      execFileSync('umount', [path]);
      rmSync(path);
    }
  });

  it('one whose process is stopped is sampled like any other', async () => {
    const holder = await newHolder();
    holder.kill('SIGSTOP');
    const exporter = new HostExporter({ namespaces: 'all' });
    await exporter.sample();
    const netns = `net:[${namespaceInodeOf(holder.pid)}]`;
    const success = exporter.series('port_exporter_sample_success', { netns }).map(({ value }) => value);
    expect(success.length).toBeGreaterThan(2);
    expect(success.every((value) => value === 1)).toBe(true);
  });

  it('neither descriptors nor namespaces are left of 200', async () => {
    const exporter = new HostExporter({ fullDumpAbove: 0 });
    await exporter.sample();
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const netlinkSockets = () =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith('net:[');
        } catch {
          return false;
        }
      }).length;
    const before = { descriptors: descriptors(), entries: netlinkSockets() };
    // The other end of a veth goes when the kernel has really ended the namespace that this one is in.
    const anchor = new NamedNamespace();
    const links = () => {
      const listed = JSON.parse(
        execFileSync('ip', ['-n', anchor.name, '-json', 'link'], { encoding: 'utf8' }),
      );
      return (listed as unknown[]).length;
    };
    const linksBefore = links();
    for (let batch = 0; batch < 4; batch++) {
      const namespaces = Array.from({ length: 50 }, () => new NamedNamespace());
      for (const { name } of namespaces) {
        const peer = `v${name.slice(NAME_PREFIX.length)}`;
        execFileSync('ip', [
          ...['-n', anchor.name, 'link', 'add', peer],
          ...['type', 'veth', 'peer', 'name', 'eth0', 'netns', name],
        ]);
      }
      await exporter.sample();
      expect(exporter.series('port_namespace_info')).toHaveLength(1 + 1 + 50);
      // What is read from outside takes none.
      if (READS_BUCKETS) expect(descriptors()).toBe(before.descriptors);
      else expect(descriptors()).toBeGreaterThanOrEqual(before.descriptors + 50);
      for (const namespace of namespaces) namespace.close();
    }
    // Until the next sample, where each has a descriptor.
    if (!READS_BUCKETS) expect(links()).toBe(linksBefore + 50);
    await exporter.sample();
    expect(exporter.series('port_namespace_info')).toHaveLength(1 + 1);
    for (let waited = 0; links() > linksBefore && waited < 20_000; waited += 50) sleepMs(50);
    expect(links()).toBe(linksBefore);
    anchor.close();
    await exporter.sample();
    expect({ descriptors: descriptors(), entries: netlinkSockets() }).toEqual(before);
    const { lines } = exporter;
    expect(lines.filter(([, , fields]) => JSON.stringify(fields)?.includes(NAME_PREFIX))).toEqual([]);
  }, 180_000);

  it('one that vanishes half-way is dropped from the sample whole', async () => {
    const namespace = new NamedNamespace();
    namespace.inside((world) => world.connect('127.0.0.1'));
    const exporter = new HostExporter();
    await exporter.sample();
    expect(detailOf(exporter, namespace.name)).toBe(1);
    const { name } = namespace;
    // The name is another namespace's by now, with the sockets of the old one still dumpable.
    execFileSync('ip', ['netns', 'delete', name]);
    execFileSync('ip', ['netns', 'add', name]);
    await exporter.sample();
    expect(exporter.value('port_ephemeral_ports', { netns: name })).toBe(28_232);
    expect(exporter.series('port_namespace_info', { netns: name })).toHaveLength(1);
  });
});

describeLive('containers and pods are called by their cgroup', () => {
  const mount = cgroupMount();
  const ID = 'c0ffee'.repeat(10).padEnd(64, '0');
  const UID = '36b62f4e-1d2c-4b8a-9a6e-0f1e2d3c4b5a';

  it.skipIf(mount === undefined)('by container id, by pod uid', async () => {
    const docker = newCgroup(mount ?? '', `docker-${ID}.scope`);
    const first = await newHolderIn(docker);
    const second = await newHolderIn(docker);
    const pod = newCgroup(
      mount ?? '',
      `kubepods-besteffort-pod${UID.replaceAll('-', '_')}.slice`,
      `cri-containerd-${ID}.scope`,
    );
    const third = await newHolderIn(pod);
    const exporter = new HostExporter({ namespaces: 'all' });
    await exporter.sample();
    const info = ({ pid }: { pid?: number | undefined }) =>
      exporter.series('port_namespace_info', { inode: namespaceInodeOf(pid) }).map(({ labels }) => labels);
    const container = ID.slice(0, 12);
    const rest = { container, pod_uid: '', process: 'sleep' };
    expect(info(first)).toMatchObject([{ ...rest, netns: container }]);
    // Programs in a container may make themselves other namespaces: no two have one name.
    expect(info(second)).toMatchObject([
      { ...rest, netns: `${container}/net:[${namespaceInodeOf(second.pid)}]` },
    ]);
    expect(info(third)).toMatchObject([{ ...rest, netns: UID, pod_uid: UID }]);
    expect(exporter.value('port_exhaustion_ratio', { netns: UID, protocol: 'tcp', scope: 'connect' })).toBe(
      0,
    );
    for (const child of [first, second, third]) {
      writeFileSync(`${mount}/cgroup.procs`, String(child.pid));
    }
  });
});
