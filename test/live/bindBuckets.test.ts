import { closeSync, openSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openSession } from '../../src/sampling/session.ts';
import { recordingLogger } from '../sampling/fakes.ts';
import { samplingOptions } from '../support/samplingOptions.ts';
import {
  binds,
  bindsWildcard,
  connects,
  type Drive,
  expectGiven,
  givenAndUndone,
  newWorld,
  ofDevice,
  times,
} from './support/exact.ts';
import { Exporter, newExporter, sampled } from './support/exporter.ts';
import { HostExporter } from './support/hostExporter.ts';
import {
  HAS_LOCAL_PORT_RANGE,
  hasSysctl,
  RELEASES_BOUND_PORTS,
  SLOWNESS,
  sleepMs,
} from './support/kernel.ts';
import {
  addDevices,
  DEVICES,
  FIRST,
  follow,
  mixtures,
  mixturesOnDevices,
  PORTS,
  type Step,
} from './support/mixtures.ts';
import { NamedNamespace } from './support/namedNamespace.ts';
import { enterFreshNamespace } from './support/posix.ts';
import { describeOverBpf } from './support/privilege.ts';
import { SERVER_PORT, World, type WorldSetup } from './support/world.ts';

/** Nobody asks the kernel for a port: all is known from its tables. */
const OVER_BPF = { source: 'bpf', canary: false } as const;

const LATER = { timeout: 40_000 * SLOWNESS, interval: 50 };
const SOON = { timeout: 10_000 * SLOWNESS, interval: 50 };

/** A destination that nobody uses yet, one that is used, and bind(): last, as what it was given may stay blocked. */
const NEW = connects('127.0.0.77');
const USED = connects('127.0.0.1');
const BIND = binds('127.0.0.1');
const DRIVES = [NEW, USED, BIND];

interface Case {
  readonly what: string;
  readonly prepare: (world: World) => unknown;
  /** Left for a new destination, for 127.0.0.1:8001, and for bind() to 127.0.0.1. */
  readonly left: readonly [number, number, number];
  readonly setup?: WorldSetup;
}

const CASES: readonly Case[] = [
  {
    what: 'SO_REUSEADDR before bind() to port 0',
    prepare(world) {
      times(30, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', reuseAddress: true }));
      times(10, () => world.connect('127.0.0.1', 8002, { from: '127.0.0.1', reuseAddress: true }));
      times(10, () => world.connect('127.0.0.1'));
    },
    left: [60, 50, 50],
  },
  {
    what: 'bind() beyond half of the range, and connect() around it',
    prepare(world) {
      times(70, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1' }));
      times(12, () => world.connect('127.0.0.1'));
    },
    left: [30, 18, 18],
  },
  {
    what: 'SO_REUSEPORT: a port has several holders and counts once',
    prepare(world) {
      times(3, () => times(8, (i) => world.listen('127.0.0.1', 40_010 + i, { reusePort: true })));
      times(2, () => times(5, (i) => world.bound('127.0.0.9', 40_050 + i, { reusePort: true })));
      times(6, (i) =>
        world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', reusePort: true, port: 40_080 + i }),
      );
      times(20, () => world.connect('127.0.0.1'));
    },
    left: [81, 61, 66],
  },
  {
    what: 'ports by number, in either half and beside the range',
    prepare(world) {
      times(7, (i) => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.9', port: 40_010 + 2 * i }));
      times(6, (i) => world.connect('127.0.0.1', 8002, { from: '127.0.0.9', port: 40_051 + 2 * i }));
      times(4, (i) => world.connect('127.0.0.1', 8002, { from: '127.0.0.9', port: 40_098 + i }));
      times(20, () => world.connect('127.0.0.1'));
    },
    left: [85, 65, 80],
  },
  {
    what: 'bind() with IP_BIND_ADDRESS_NO_PORT',
    prepare(world) {
      times(60, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.9', noPort: true }));
      times(30, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', noPort: true }));
    },
    left: [100, 70, 70],
  },
  {
    what: 'bound-only sockets of both families, some of them of one port',
    prepare(world) {
      times(8, (i) => world.bound('127.0.0.7', 40_040 + i));
      times(7, (i) => world.bound('::1', 40_060 + i));
      times(3, (i) => world.bound('0.0.0.0', 40_080 + i));
      times(3, (i) => world.bound('::', 40_080 + i, { v6only: true }));
      times(2, (i) => world.bound('::', 40_090 + i));
      times(5, () => world.connect('127.0.0.1'));
    },
    left: [80, 75, 90],
  },
  {
    what: 'listeners, and connections whose listener is gone',
    prepare(world) {
      const listeners = Array.from({ length: 5 }, (_, i) => world.listen('127.0.0.1', 40_010 + i));
      for (const [i, listener] of listeners.entries()) {
        times(3, () => {
          world.connect('127.0.0.1', 40_010 + i);
          world.accept('127.0.0.1', 40_010 + i);
        });
        if (i < 3) world.end(listener);
      }
      times(4, (i) => world.listen('::1', 40_020 + i));
      times(10, () => world.connect('127.0.0.1'));
    },
    // Connections to several destinations may share ports.
    left: [91, 81, expect.any(Number)],
  },
  {
    what: 'TIME_WAIT, of bound sockets too',
    setup: { twReuse: 0 },
    prepare(world) {
      world.timeWait(12, '127.0.0.1', SERVER_PORT, { from: '127.0.0.1' });
      world.timeWait(8, '127.0.0.1', SERVER_PORT, { from: '127.0.0.1', reuseAddress: true });
      world.timeWait(15, '127.0.0.1');
    },
    left: [80, 65, 65],
  },
  {
    what: 'IPv6 and mapped addresses',
    prepare(world) {
      times(9, (i) => world.connect('::1', SERVER_PORT, { from: '::1', port: 40_020 + i }));
      times(6, (i) =>
        world.connect('::ffff:127.0.0.1', SERVER_PORT, { from: '::ffff:127.0.0.9', port: 40_040 + i }),
      );
      times(11, () => world.connect('::1'));
      times(20, () => world.connect('::ffff:127.0.0.1'));
    },
    left: [85, 65, 80],
  },
  {
    what: 'destinations past their half, and drained again',
    prepare(world) {
      const held = Array.from({ length: 80 }, () => world.connect('127.0.0.1'));
      times(15, () => world.connect('127.0.0.3', SERVER_PORT, { from: '127.0.0.1' }));
      for (const fd of held.slice(0, 45)) world.abort(fd);
    },
    left: [85, 50, 50],
  },
  {
    what: 'ports that were bound and closed while a connection held them',
    prepare(world) {
      times(20, () => world.connect('127.0.0.1'));
      // Which of them it is does not matter: a port without a connection is as free as before on every kernel.
      times(100, (i) => world.end(world.bound('127.0.0.9', 40_000 + i)));
    },
    left: RELEASES_BOUND_PORTS ? [100, 80, 80] : [80, 80, 80],
  },
];

const WITH_PORT_RANGES: readonly Case[] = [
  {
    what: 'IP_LOCAL_PORT_RANGE without bind() blocks nothing, whatever its parity',
    prepare(world) {
      times(15, () => world.connect('127.0.0.1', SERVER_PORT, { portRange: [40_001, 40_020] }));
      times(15, () => world.connect('127.0.0.3', SERVER_PORT, { portRange: [40_050, 40_064] }));
    },
    left: [100, 85, 70],
  },
  {
    what: 'IP_LOCAL_PORT_RANGE with bind() blocks what it chose',
    prepare(world) {
      const portRange = [40_030, 40_049] as const;
      times(12, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', portRange }));
      times(5, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.9', portRange, noPort: true }));
      times(10, () => world.bound('127.0.0.9', 0, { portRange: [40_060, 40_069] }));
      times(10, () => world.connect('127.0.0.1'));
    },
    left: [78, 68, 78],
  },
];

describeOverBpf('What the bind buckets say is what the kernel gives', () => {
  describe.each([
    { whom: 'who watched', watches: true },
    { whom: 'who comes when all is done, and remembers nothing', watches: false },
  ])('to one $whom', ({ watches }) => {
    // In a world of its own: before 6.18 a port that bind() was given stays blocked while any connection is on it.
    const prove = async ({ setup = {}, prepare, left }: Case) => {
      const world = newWorld(setup);
      const watching = watches ? await sampled(OVER_BPF) : undefined;
      await prepare(world);
      expect(await expectGiven(world, watching ?? newExporter(OVER_BPF), DRIVES)).toEqual(left);
    };

    it.each(CASES)('$what', prove);
    it.runIf(HAS_LOCAL_PORT_RANGE).each(WITH_PORT_RANGES)('$what', prove);
  });

  // Before 6.8 in a list of its own.
  it('TIME_WAIT on a link-local address, whose bind() looks at devices', async () => {
    const world = newWorld({ twReuse: 0 });
    const address = `fe80::a%${DEVICES.da}`;
    addDevices();
    world.listen('::', SERVER_PORT);
    follow(world, [
      { do: 'connect', to: address, port: SERVER_PORT, client: { served: true }, count: 10 },
      { do: 'close', how: 'client first', share: 1 },
    ]);
    const drives = [bindsOn('da', address), bindsWildcard('::')];
    expect(await expectGiven(world, newExporter(OVER_BPF), drives)).toEqual([90, 90]);
  });
});

/** Of each of these lists a mixture is asked for one that is in use. */
const DESTINATIONS = [USED, connects('127.0.0.1', { port: 8002 }), connects('127.0.0.3'), connects('::1')];
const ADDRESSES = [BIND, binds('127.0.0.9'), binds('::1'), bindsWildcard('::')];
const DESTINATIONS_ON_DEVICES = [
  ...DESTINATIONS,
  connectsBoundTo('lo', '127.0.0.1', '127.0.0.1'),
  connectsBoundTo('da', '10.0.0.1', '10.0.0.2'),
  connectsBoundTo('db', '10.0.1.1', '10.0.1.2'),
  connectsBoundTo('', '10.0.0.1', '10.0.0.2'),
  ...Object.entries(DEVICES).map(([device, index]) => connectsBoundTo(device, 'fe80::a', `fe80::a%${index}`)),
];
const ADDRESSES_ON_DEVICES = [
  ...ADDRESSES,
  binds('10.0.0.1'),
  ...Object.entries(DEVICES).map(([device, index]) => bindsOn(device, `fe80::a%${index}`)),
];

/** Nobody needs to answer: the port is taken before the first packet leaves. */
function connectsBoundTo(device: string, local: string, to: string): Drive {
  const [plain = ''] = to.split('%');
  return {
    what: `connect() to ${to} bound to ${device || 'no device'}`,
    promised: (exporter) =>
      ofDevice(device, exporter, 'port_destination_available_ports', {
        ...{ local_address: local, remote_address: plain, remote_port: SERVER_PORT },
      }),
    // A link-local address says the device.
    call: (world) => world.knock(to, SERVER_PORT, to === plain ? device : ''),
    error: 'EADDRNOTAVAIL',
  };
}

function bindsOn(device: string, address: string): Drive {
  const [plain = ''] = address.split('%');
  return {
    ...binds(address),
    promised: (exporter) =>
      ofDevice(device, exporter, 'port_local_address_available_ports', {
        ...{ protocol: 'tcp', local_address: plain },
      }),
  };
}

const DELAY = 'net.ipv4.tcp_tw_reuse_delay';
/** Whether a connection in TIME_WAIT can be old enough at once (6.14). */
const REUSES_AT_ONCE = hasSysctl(DELAY);

const setups = fc.record({
  /** The half that is preferred is that of the first port. */
  first: fc.constantFrom(FIRST, FIRST + 1),
  reserved: fc.constantFrom('', '', `${FIRST + 3},${FIRST + 10}-${FIRST + 14}`),
  twReuse: REUSES_AT_ONCE ? fc.constantFrom<0 | 1>(0, 1) : fc.constant<0>(0),
});

/** Of the drives those that something is promised of. */
function pickPromised(drives: readonly Drive[], exporter: Exporter, pick: number): Drive[] {
  const promised = drives.filter((drive) => drive.promised(exporter) !== undefined);
  return promised.slice(pick % Math.max(1, promised.length)).slice(0, 1);
}

/** States in which a closed socket waits for an answer. */
const ENDING = ['fin_wait1', 'closing', 'last_ack'];

/** Sockets that a timer of the kernel may end at any moment. */
function endingIn(exporter: Exporter): number {
  return exporter
    .series('port_sockets', { protocol: 'tcp' })
    .filter(({ labels }) => ENDING.includes(labels['state'] ?? ''))
    .reduce((sum, { value }) => sum + value, 0);
}

/**
 * As expectGiven, of one drive. A connection whose other end was lost (two of the same addresses and ports, of which one is
 * bound to a device) sends its FIN again and again, and ends when that is answered. Where this was between the promise and the
 * calls, and then alone, both are asked again.
 */
async function expectGivenOfOne(
  world: World,
  exporter: Exporter,
  drives: readonly Drive[],
  pick: number,
): Promise<void> {
  // Chosen only now: on a busy machine a reset that ends the last socket of one may be taken a moment later.
  await exporter.sample();
  const ending = endingIn(exporter);
  try {
    await expectGiven(world, exporter, pickPromised(drives, exporter, pick));
  } catch (error) {
    await exporter.sample();
    // Each time one less is left to end.
    if (endingIn(exporter) >= ending) throw error;
    await expectGivenOfOne(world, exporter, drives, pick);
  }
}

describeOverBpf('Of any mixture, in any order, not one call more or less succeeds than was promised', () => {
  const prove = (
    kind: fc.Arbitrary<Step[]>,
    runs: number,
    begin: (world: World) => unknown,
    [destinations, addresses]: readonly [readonly Drive[], readonly Drive[]],
  ) =>
    fc.assert(
      fc.asyncProperty(setups, kind, fc.boolean(), fc.nat(99), async (setup, mixture, watches, pick) => {
        const { first, reserved, twReuse } = setup;
        const world = new World({ range: [first, first + PORTS - 1], reserved, twReuse });
        let exporter: Exporter | undefined;
        try {
          if (REUSES_AT_ONCE) world.sysctl(DELAY, '1');
          begin(world);
          // One that watches may have learnt something wrong; one that comes when all is done knows nothing.
          if (watches) exporter = new Exporter(OVER_BPF);
          follow(world, mixture, () => exporter?.sampleOnly());
          exporter ??= new Exporter(OVER_BPF);
          // What is in TIME_WAIT becomes old enough, which is a matter of time and not of this test.
          sleepMs(5);
          for (const list of [[NEW], destinations, addresses])
            await expectGivenOfOne(world, exporter, list, pick);
        } finally {
          exporter?.close();
          world.close();
        }
      }),
      { numRuns: runs },
    );

  it('on any address', () => prove(mixtures, 300, () => {}, [DESTINATIONS, ADDRESSES]), 120_000 * SLOWNESS);

  it(
    'on any address, and on devices',
    () =>
      prove(
        mixturesOnDevices,
        200,
        (world) => {
          addDevices();
          world.listen('::', SERVER_PORT);
        },
        [DESTINATIONS_ON_DEVICES, ADDRESSES_ON_DEVICES],
      ),
    120_000 * SLOWNESS,
  );
});

describeOverBpf('Namespaces that are read in one walk', () => {
  it('are exact each for itself, and whole', async () => {
    const mixed = fc.sample(mixtures, { numRuns: 4, seed: 7 });
    const namespaces = mixed.map(
      (_, index) => new NamedNamespace({ range: [40_000, 40_059 + 20 * index], twReuse: 0 }),
    );
    const exporter = new HostExporter(OVER_BPF);
    for (const [index, namespace] of namespaces.entries()) {
      namespace.inside((world) => {
        times(3 * index, () => world.connect('127.0.0.1', 8003, { from: '127.0.0.1' }));
        times(7 + index, () => world.connect('127.0.0.1', 8003));
        follow(world, mixed[index] ?? []);
      });
    }
    await exporter.sample();
    for (const namespace of namespaces) {
      const { name: netns } = namespace;
      expect(exporter.value('port_exporter_sample_detail', { netns })).toBe(1);
      const promised = {
        used: exporter.value('port_destination_available_ports', {
          ...{ netns, local_address: '127.0.0.1', remote_address: '127.0.0.1', remote_port: 8003 },
        }),
        bind: exporter.value('port_local_address_available_ports', {
          ...{ netns, protocol: 'tcp', local_address: '127.0.0.1' },
        }),
        fresh: exporter.value('port_connect_capacity_ports', { netns, protocol: 'tcp' }),
      };
      const given = namespace.inside((world) => ({
        used: givenAndUndone(world, () => world.connect('127.0.0.1', 8003)).succeeded,
        fresh: givenAndUndone(world, () => world.connect('127.0.0.77')).succeeded,
        // Last, as what it was given may stay blocked.
        bind: givenAndUndone(world, () => world.bound('127.0.0.1')).succeeded,
      }));
      expect(given).toEqual(promised);
    }
  });

  it('may have a connection table of their own, whose connections are counted too', async () => {
    const namespace = withOwnTable();
    namespace.inside((world) => {
      times(30, () => world.connect('127.0.0.1'));
      times(12, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1' }));
      times(5, (i) => world.bound('127.0.0.9', 40_090 + i));
    });
    const { name: netns } = namespace;
    const exporter = new HostExporter(OVER_BPF);
    await exporter.sample();
    expect(exporter.value('port_exporter_sample_detail', { netns })).toBe(1);
    expect(
      exporter.value('port_sockets', { netns, protocol: 'tcp', family: 'ipv4', state: 'established' }),
    ).toBe(2 * 42);
    const promised = exporter.value('port_destination_available_ports', { netns });
    const given = namespace.inside(
      (world) => givenAndUndone(world, () => world.connect('127.0.0.1')).succeeded,
    );
    expect(given).toBe(promised);
  });

  it('of which the own has a connection table of its own are read one by one', () => {
    const namespace = withOwnTable();
    const { log, lines } = recordingLogger();
    namespace.inside(() => openSession(samplingOptions({ source: 'auto' }), log).close());
    expect(lines.filter(([, message]) => message === 'reading socket tables')).toEqual([
      [
        'info',
        'reading socket tables',
        {
          source: 'netlink',
          bound_only_sockets: expect.any(String),
          bpf_unavailable:
            'this network namespace has a connection table of its own (net.ipv4.tcp_child_ehash_entries)',
        },
      ],
    ]);
  });

  it.each<[string, number, (world: World) => () => unknown]>([
    [
      'sockets in them',
      40,
      (world) => {
        times(20, () => world.connect('127.0.0.1'));
        return () => world.close();
      },
    ],
    [
      'an open descriptor',
      20,
      (world) => {
        world.timeWait(20, '127.0.0.1');
        const fd = openSync('/proc/thread-self/ns/net', 'r');
        world.close();
        return () => closeSync(fd);
      },
    ],
  ])('are counted where nothing but %s keeps them alive', async (_, connections, fill) => {
    const exporter = new HostExporter(OVER_BPF);
    const unlisted = async () => {
      await exporter.sample();
      return Number(exporter.value('port_unlisted_namespace_connections', {}));
    };
    // Other namespaces of this machine come and go meanwhile.
    await vi.waitFor(async () => {
      const before = await unlisted();
      const leave = enterFreshNamespace();
      const world = new World({ enter: () => () => {} });
      const forget = fill(world);
      leave();
      try {
        expect(await unlisted()).toBe(before + connections);
      } finally {
        forget();
      }
      // The kernel ends a namespace a little later.
      await vi.waitFor(async () => expect(await unlisted()).toBe(before), SOON);
    }, LATER);
  });
});

/** A namespace whose parent gave it a connection table of its own. */
function withOwnTable(): NamedNamespace {
  const leave = enterFreshNamespace();
  try {
    writeFileSync('/proc/sys/net/ipv4/tcp_child_ehash_entries', '1024\n');
    return new NamedNamespace({ twReuse: 0 });
  } finally {
    leave();
  }
}
