import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { HAS_LOCAL_PORT_RANGE } from './kernel.ts';
import { PosixError } from './posix.ts';
import { type Client, SERVER_PORT, type Server, type World } from './world.ts';

/** The range of a world that mixtures are made in. */
export const FIRST = 40_000;
export const PORTS = 40;

/** Devices that `addDevices` makes: this host is fe80::a on both, and 10.0.0.1 and 10.0.1.1. */
export const DEVICES = { da: 101, db: 102 } as const;

/** Something that programs do with sockets, a few times; what the kernel refuses of it is not done. */
export type Step =
  | {
      readonly do: 'connect';
      readonly to: string;
      readonly port: number;
      readonly client: Client;
      readonly count: number;
    }
  | { readonly do: 'knock'; readonly to: string; readonly device: string; readonly count: number }
  | {
      readonly do: 'bind';
      readonly address: string;
      readonly port: number;
      readonly how: Holder;
      readonly count: number;
    }
  | {
      readonly do: 'listen';
      readonly address: string;
      readonly port: number;
      readonly how: Server;
      readonly children: number;
      readonly isClosed: boolean;
    }
  | { readonly do: 'close'; readonly how: 'abort' | 'client first' | 'server first'; readonly share: number }
  | { readonly do: 'sample' };

type Holder = NonNullable<Parameters<World['bound']>[2]>;

const few = fc.integer({ min: 1, max: 9 });
const count = fc.oneof(few, few, fc.integer({ min: 10, max: PORTS }));
const port = fc.integer({ min: FIRST, max: FIRST + PORTS - 1 });
const portRange = fc
  .tuple(fc.integer({ min: FIRST - 5, max: FIRST + PORTS - 1 }), fc.integer({ min: 0, max: 20 }))
  .map(([first, more]): Client => (HAS_LOCAL_PORT_RANGE ? { portRange: [first, first + more] } : {}));
const ways = fc.oneof(
  ...[{}, { reuseAddress: true }, { reusePort: true }, { noPort: true }].map((way: Client) =>
    fc.constant(way),
  ),
  portRange,
);
/** Whether and how a client does bind() to an address first. */
const clientFrom = (addresses: readonly string[]) =>
  fc.oneof(
    fc.constant<Client>({}),
    portRange,
    fc.tuple(fc.constantFrom(...addresses), ways).map(([from, way]): Client => ({ from, ...way })),
    fc.tuple(fc.constantFrom(...addresses), port).map(([from, number]): Client => ({ from, port: number })),
  );

const connectOver = (to: readonly string[], from: readonly string[]) =>
  fc.record({
    do: fc.constant('connect' as const),
    to: fc.constantFrom(...to),
    port: fc.constantFrom(SERVER_PORT, SERVER_PORT, 8002),
    client: clientFrom(from),
    count,
  });
const ADDRESSES = ['127.0.0.1', '127.0.0.9', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1'];
const holder = fc.oneof(
  ...[{}, { reuseAddress: true }, { reusePort: true }, { v6only: true }].map((how: Holder) =>
    fc.constant(how),
  ),
  portRange.map((how): Holder => how),
);

const steps = [
  connectOver(['127.0.0.1', '127.0.0.1', '127.0.0.3'], ['127.0.0.1', '127.0.0.9', '0.0.0.0']),
  connectOver(['::1', '::ffff:127.0.0.1'], ['::']),
  connectOver(['::1'], ['::1', '::']),
  connectOver(['::ffff:127.0.0.1'], ['::ffff:127.0.0.1', '::ffff:127.0.0.9', '::']),
  fc.record({
    do: fc.constant('bind' as const),
    address: fc.constantFrom(...ADDRESSES),
    port: fc.oneof(fc.constant(0), port),
    how: holder,
    count: few,
  }),
  fc.record({
    do: fc.constant('listen' as const),
    address: fc.constantFrom('127.0.0.1', '127.0.0.9', '::1'),
    port,
    how: fc.constantFrom<Server>({}, { reusePort: true }),
    children: fc.integer({ min: 0, max: 4 }),
    isClosed: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('close' as const),
    how: fc.constantFrom('abort' as const, 'client first' as const, 'server first' as const),
    share: fc.double({ min: 0.1, max: 1, noNaN: true }),
  }),
  fc.record({ do: fc.constant('sample' as const) }),
] as const;

const deviceSteps = [
  fc.record({
    do: fc.constant('connect' as const),
    to: fc.constantFrom('127.0.0.1', '127.0.0.3'),
    port: fc.constant(SERVER_PORT),
    client: fc.constantFrom<Client>({ device: 'lo' }, { device: 'lo', from: '127.0.0.1' }),
    count,
  }),
  fc.record({
    do: fc.constant('connect' as const),
    to: fc.constantFrom(...Object.values(DEVICES)).map((index) => `fe80::a%${index}`),
    port: fc.constant(SERVER_PORT),
    client: fc.constant<Client>({ served: true }),
    count,
  }),
  fc.record({
    do: fc.constant('knock' as const),
    to: fc.constantFrom('10.0.0.2', '10.0.1.2'),
    device: fc.constantFrom('', 'da', 'db'),
    count,
  }),
  fc.record({
    do: fc.constant('bind' as const),
    address: fc.constantFrom(
      '127.0.0.1',
      '0.0.0.0',
      '10.0.0.1',
      '::',
      `fe80::a%${DEVICES.da}`,
      `fe80::a%${DEVICES.db}`,
    ),
    port: fc.oneof(fc.constant(0), port),
    how: fc.constantFrom<Holder>({}, { device: 'lo' }, { device: 'da' }),
    count: few,
  }),
] as const;

/** Any mixture, in any order. */
export const mixtures = fc.array<Step>(fc.oneof(...steps), { minLength: 1, maxLength: 10 });

/** Any mixture in a world with devices, some of them bound to one. */
export const mixturesOnDevices = fc.array<Step>(fc.oneof(...deviceSteps, ...deviceSteps, ...steps), {
  minLength: 1,
  maxLength: 10,
});

/** Devices of the namespace that this thread is in. Behind them nobody is, who however has a known address there. */
export function addDevices(): void {
  const lines = Object.entries(DEVICES).flatMap(([device, index], place) => [
    `link add ${device} index ${index} type veth peer name ${device}-far`,
    `link set ${device} addrgenmode none`,
    `link set ${device}-far addrgenmode none`,
    `link set ${device} up`,
    `link set ${device}-far up`,
    `address add fe80::a/64 dev ${device} nodad`,
    `address add 10.0.${place}.1/24 dev ${device}`,
    ...['10.0.0.2', '10.0.1.2'].map(
      (address) => `neighbour add ${address} lladdr 02:00:00:00:00:01 nud permanent dev ${device}`,
    ),
  ]);
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
}

/** Both ends, or one that nobody answers. */
interface Pair {
  readonly near: number;
  readonly far: number | undefined;
}

/** Does all of it, with `sample` in between where the mixture says so. */
export function follow(world: World, mixture: readonly Step[], sample: () => unknown = () => {}): void {
  const pairs: Pair[] = [];
  for (const step of mixture) {
    if (step.do === 'sample') sample();
    else if (step.do === 'close')
      close(world, pairs.splice(0, Math.ceil(step.share * pairs.length)), step.how);
    else unlessRefused(() => take(world, step, pairs));
  }
}

function take(world: World, step: Exclude<Step, { do: 'sample' | 'close' }>, pairs: Pair[]): void {
  if (step.do === 'listen') {
    const listener = world.listen(step.address, step.port, { ...step.how, nonBlocking: true });
    for (let i = 0; i < step.children; i++) {
      const near = world.connect(step.address, step.port);
      // Of listeners that share a port another one may have got it.
      pairs.push({ near, far: world.acceptWaiting(listener, 1)[0] });
    }
    if (step.isClosed) world.end(listener);
    return;
  }
  for (let i = 0; i < step.count; i++) {
    if (step.do === 'bind') world.bound(step.address, step.port === 0 ? 0 : step.port + i, step.how);
    else if (step.do === 'knock')
      pairs.push({ near: world.knock(step.to, SERVER_PORT, step.device), far: undefined });
    else {
      const { client } = step;
      const chosen = client.port === undefined ? client : { ...client, port: client.port + i };
      pairs.push(connected(world, step.to, step.port, chosen));
    }
  }
}

/** Accepted at once, so that the next one accepted is the next one made. */
function connected(world: World, to: string, port: number, client: Client = {}): Pair {
  const near = world.connect(to, port, client);
  return { near, far: world.accept(client.served ? '::' : to, port) };
}

function close(world: World, pairs: readonly Pair[], how: 'abort' | 'client first' | 'server first'): void {
  for (const { near, far } of pairs) {
    if (far === undefined || how === 'abort') {
      world.abort(near);
      if (far !== undefined) world.end(far);
      continue;
    }
    const [first, second] = how === 'client first' ? [near, far] : [far, near];
    world.end(first);
    world.end(second);
  }
}

function unlessRefused(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
  }
}
