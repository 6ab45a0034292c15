import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  binds,
  bindsWildcard,
  connects,
  type Drive,
  expectPromiseKept,
  udpConnects,
} from './support/exact.ts';
import { Exporter } from './support/exporter.ts';
import { hasSysctl, KERNEL_SHOWS_BOUND_ONLY, SLOWNESS, sleepMs } from './support/kernel.ts';
import { PosixError } from './support/posix.ts';
import { describeLive } from './support/privilege.ts';
import { untilRefused, World, type WorldSetup } from './support/world.ts';

/**
 * Everything at once: random sockets of every kind in a namespace, and the same promise. Connections of which parity does
 * not tell who chose their port are in ambiguous.test.ts.
 */
interface Action {
  /** Kinds that hold ports for everyone come before those that choose among what is left. */
  readonly phase: number;
  readonly run: (world: World) => unknown;
  readonly shown: string;
}

const ipv4 = fc.constantFrom('127.0.0.1', '127.0.0.8', '0.0.0.0');
const anyAddress = fc.oneof(ipv4, fc.constantFrom('::1', '::', '::ffff:127.0.0.1'));
const portInRange = fc.integer({ min: 39995, max: 40104 });
const count = (max: number) => fc.integer({ min: 1, max });

function action(phase: number, shown: string, run: (world: World) => unknown): Action {
  return { phase, shown, run };
}

function repeated(phase: number, times: number, shown: string, run: (world: World) => unknown): Action {
  return action(phase, `${times} × ${shown}`, (world) => {
    for (let i = 0; i < times; i++) run(world);
  });
}

const listeners = fc
  .tuple(anyAddress, portInRange, fc.boolean())
  .map(([address, port, v6only]) =>
    action(1, `listen ${address} ${port} ${v6only}`, (world) =>
      world.listen(address, port, { v6only: v6only && address === '::' }),
    ),
  );
const boundOnly = fc
  .tuple(anyAddress, fc.oneof(portInRange, fc.constant(0)), fc.boolean())
  .map(([address, port, v6only]) =>
    action(2, `bind ${address} ${port}`, (world) =>
      world.bound(address, port, { v6only: v6only && address === '::' }),
    ),
  );
const boundFirst = fc
  .tuple(fc.constantFrom(['127.0.0.1', '127.0.0.1'], ['127.0.0.1', '127.0.0.9'], ['::1', '::1']), count(6))
  .map(([[to = '', from = ''], times]) =>
    repeated(3, times, `bind ${from} and connect ${to}`, (world) => world.connect(to, 8101, { from })),
  );
const inbound = fc.tuple(portInRange, count(5)).map(([port, times]) =>
  repeated(4, times, `connect to a listener on ${port}`, (world) => {
    world.connect('127.0.0.1', port);
    world.accept('127.0.0.1', port);
  }),
);
const plain = fc
  .tuple(
    fc.constantFrom('127.0.0.1', '127.0.0.2', '::1', '::ffff:127.0.0.1'),
    fc.constantFrom(8001, 8002),
    count(60),
  )
  .map(([to, port, times]) =>
    repeated(5, times, `connect ${to} ${port}`, (world) => world.connect(to, port)),
  );
const fewBesideBound = count(10).map((times) =>
  repeated(5, times, 'connect 127.0.0.1 8101', (world) => world.connect('127.0.0.1', 8101)),
);
const noPort = count(30).map((times) =>
  repeated(5, times, 'bind without port and connect', (world) =>
    world.connect('127.0.0.1', 8001, { from: '127.0.0.9', noPort: true }),
  ),
);
const timeWait = fc
  .tuple(fc.constantFrom('127.0.0.1', '::1'), count(15))
  .map(([to, times]) => action(6, `${times} × TIME_WAIT ${to}`, (world) => world.timeWait(times, to)));
const udp = fc.oneof(
  fc
    .tuple(anyAddress, fc.oneof(portInRange, fc.constant(0)), fc.boolean())
    .map(([address, port, v6only]) =>
      action(7, `udp bind ${address} ${port}`, (world) =>
        world.bound(address, port, { type: 'udp', v6only: v6only && address === '::' }),
      ),
    ),
  fc
    .tuple(fc.constantFrom('127.0.0.1', '127.0.0.2', '::1'), count(20))
    .map(([to, times]) => repeated(8, times, `udp connect ${to}`, (world) => world.connectUdp(to))),
);

const actions = fc.array(
  fc.oneof(
    listeners,
    ...(KERNEL_SHOWS_BOUND_ONLY ? [boundOnly] : []),
    boundFirst,
    inbound,
    plain,
    fewBesideBound,
    noPort,
    timeWait,
    udp,
  ),
  { minLength: 1, maxLength: 12 },
);
const setup: fc.Arbitrary<WorldSetup & { delayMs: number }> = fc.record({
  range: fc.constantFrom([40000, 40099] as const, [40001, 40100] as const),
  reserved: fc.constantFrom('', '40010-40019', '40001,40003,50000', '40000-40029'),
  twReuse: fc.constantFrom(0, 1, 2),
  delayMs: fc.constantFrom(1, 60_000),
});

/** Each checked in a namespace of its own; those whose address nobody uses are no row of the exporter's and left out. */
const DRIVES: readonly Drive[] = [
  connects('127.0.0.1'),
  connects('127.0.0.2', { port: 8002 }),
  connects('127.0.0.1', { port: 8101 }),
  connects('127.0.0.3', { port: 8003 }),
  connects('::1'),
  connects('127.0.0.1', { local: '127.0.0.9', noPort: true }),
  connects('127.0.0.1', { port: 8002, mapped: true }),
  binds('127.0.0.1'),
  binds('127.0.0.9'),
  binds('::1'),
  bindsWildcard('::'),
  binds('127.0.0.1', 'udp'),
  binds('::1', 'udp'),
  bindsWildcard('::', 'udp'),
  udpConnects('::1'),
];

describeLive('Everything at once, at random', () => {
  it('available is what the kernel still gives, in every regime', async () => {
    await fc.assert(fc.asyncProperty(setup, actions, fc.nat(), checkPromise), {
      numRuns: Math.max(20, Math.round(300 / SLOWNESS)),
    });
  }, 120_000);
});

async function checkPromise(
  given: WorldSetup & { delayMs: number },
  chosen: readonly Action[],
  pick: number,
): Promise<void> {
  const drive = DRIVES[pick % DRIVES.length] as Drive;
  const world = new World(given);
  const exporter = new Exporter();
  try {
    if (hasSysctl('net.ipv4.tcp_tw_reuse_delay'))
      world.sysctl('net.ipv4.tcp_tw_reuse_delay', String(given.delayMs));
    else world.sysctl('net.ipv4.tcp_tw_reuse', '0');
    for (const { run } of [...chosen].sort((a, b) => a.phase - b.phase)) attempt(() => run(world));
    sleepMs(5);
    await exporter.sample();
    expectWorstIsTheWorst(exporter);
    const promised = drive.promised(exporter);
    if (promised === undefined) return;
    const { succeeded, error } = untilRefused(() => drive.call(world));
    const told = `${drive.what}: promised ${promised}, the kernel gave ${succeeded} and then ${error}`;
    expect(error, told).toBe(drive.error);
    expectPromiseKept(exporter, promised, succeeded, { told });
  } finally {
    exporter.close();
    world.close();
  }
}

/** A random world asks for ports that are taken: that call is refused, and the world is what it is. */
function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
  }
}

function expectWorstIsTheWorst(exporter: Exporter): void {
  const rows = (name: string, protocol?: string) =>
    exporter.values(name, protocol === undefined ? {} : { protocol });
  const worst = (protocol: string, scope: string) =>
    exporter.value('port_exhaustion_available_ports', { protocol, scope });
  const capacity = exporter.value('port_connect_capacity_ports', { protocol: 'tcp' }) ?? Number.NaN;
  expect(worst('tcp', 'connect')).toBe(Math.min(capacity, ...rows('port_destination_available_ports')));
  for (const protocol of ['tcp', 'udp']) {
    const addresses = rows('port_local_address_available_ports', protocol);
    expect(worst(protocol, 'bind')).toBeLessThanOrEqual(Math.min(Number.POSITIVE_INFINITY, ...addresses));
  }
}
