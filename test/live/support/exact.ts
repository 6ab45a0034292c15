import { afterEach, expect } from 'vitest';
import { Exporter } from './exporter.ts';
import { KERNEL_TELLS_BLOCKED } from './kernel.ts';
import { SERVER_PORT, untilRefused, World, type WorldSetup } from './world.ts';

/** A call to repeat until the kernel refuses it, and the error an application sees then. */
export interface Drive {
  readonly what: string;
  /** What the exporter says of it. */
  readonly promised: (exporter: Exporter) => number | undefined;
  readonly call: (world: World) => unknown;
  readonly error: string;
}

/** Plain connect() calls to a destination; from `local`, where the kernel would choose another source address. */
export function connects(
  to: string,
  { port = SERVER_PORT, local = usualSource(to), noPort = false, mapped = false } = {},
): Drive {
  return {
    what: `connect() to ${to}:${port}${noPort ? ` from ${local}` : ''}`,
    promised: (exporter) =>
      ofDevice('', exporter, 'port_destination_available_ports', {
        local_address: local,
        remote_address: to,
        remote_port: port,
      }) ?? exporter.value('port_connect_capacity_ports', { protocol: 'tcp' }),
    call: (world) => world.connect(mapped ? `::ffff:${to}` : to, port, noPort ? { from: local, noPort } : {}),
    error: 'EADDRNOTAVAIL',
  };
}

/** Of the series with these labels that of a device; '' for sockets that are bound to none. */
export function ofDevice(
  device: string,
  exporter: Exporter,
  name: string,
  labels: Readonly<Record<string, string | number>>,
): number | undefined {
  return exporter.series(name, labels).find((series) => (series.labels['device'] ?? '') === device)?.value;
}

/** The source address the kernel chooses on lo. */
function usualSource(to: string): string {
  return to.includes(':') ? to : '127.0.0.1';
}

/** bind() calls to an address and port 0, where some socket uses the address already. */
export function binds(
  address: string,
  type: 'tcp' | 'udp' = 'tcp',
  options: { v6only?: boolean } = {},
): Drive {
  return {
    what: `${type} bind() to ${address}`,
    promised: (exporter) =>
      ofDevice('', exporter, 'port_local_address_available_ports', {
        protocol: type,
        local_address: address,
      }),
    call: (world) => world.bound(address, 0, { type, ...options }),
    error: 'EADDRINUSE',
  };
}

/** bind() calls to an address that nobody uses yet, where that is the worst of the regime. */
export function bindsUnused(address: string, type: 'tcp' | 'udp' = 'tcp'): Drive {
  return {
    ...binds(address, type),
    promised: (exporter) =>
      exporter.value('port_exhaustion_available_ports', { protocol: type, scope: 'bind' }),
  };
}

/** bind() calls to ::, which meets every holder: what is left is usable minus used. */
export function bindsWildcard(address: '::', type: 'tcp' | 'udp' = 'tcp'): Drive {
  return {
    ...binds(address, type),
    promised: (exporter) =>
      Number(exporter.value('port_ephemeral_ports')) -
      Number(exporter.value('port_ephemeral_used_ports', { protocol: type })),
  };
}

/** Unbound UDP connect() calls. */
export function udpConnects(to: string): Drive {
  return {
    what: `udp connect() to ${to}`,
    promised: (exporter) =>
      exporter.value('port_exhaustion_available_ports', { protocol: 'udp', scope: 'connect' }),
    call: (world) => world.connectUdp(to),
    error: 'EAGAIN',
  };
}

const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

/** A world that ends with the test. */
export function newWorld(setup: WorldSetup = {}): World {
  const world = new World(setup);
  worlds.push(world);
  return world;
}

/**
 * The promise of the exporter: brings a fresh namespace into a state, reads how many further calls will succeed, then
 * makes them until the kernel refuses one. Every drive has a namespace of its own, brought into the same state.
 *
 * @returns the numbers promised, in the order of the drives
 */
export async function expectExact(
  setup: WorldSetup,
  prepare: (world: World) => unknown,
  drives: readonly Drive[],
  { within = 0 } = {},
): Promise<number[]> {
  const promises: number[] = [];
  for (const drive of drives) {
    const world = new World(setup);
    const exporter = new Exporter();
    try {
      await prepare(world);
      await exporter.sample();
      const promised = drive.promised(exporter);
      const { succeeded, error } = untilRefused(() => drive.call(world));
      const told = `${drive.what}: promised ${promised}, the kernel gave ${succeeded} and then ${error}`;
      expect(error, told).toBe(drive.error);
      expectPromiseKept(exporter, promised, succeeded, { within, told });
      promises.push(succeeded);
    } finally {
      exporter.close();
      world.close();
    }
  }
  return promises;
}

/**
 * As many calls succeeded as were promised; at least as many where some ports may be blocked or not, which is so only on
 * kernels that cannot be asked.
 */
export function expectPromiseKept(
  exporter: Exporter,
  promised = Number.NaN,
  succeeded = 0,
  { within = 0, told = 'promised and given' } = {},
): void {
  const uncertain = exporter.value('port_ephemeral_uncertain_ports');
  if (KERNEL_TELLS_BLOCKED) expect(uncertain, told).toBe(0);
  if (uncertain === 0) expect(Math.abs(promised - succeeded), told).toBeLessThanOrEqual(within);
  else expect(promised, told).toBeLessThanOrEqual(succeeded + within);
}

/**
 * The same in one world: each drive is promised by a sample of its own, driven until the kernel refuses, and undone before the
 * next. Not one call more or less may succeed.
 *
 * @returns the numbers promised, in the order of the drives
 */
export async function expectGiven(
  world: World,
  exporter: Exporter,
  drives: readonly Drive[],
): Promise<number[]> {
  const promises: number[] = [];
  for (const drive of drives) {
    await exporter.sample();
    const promised = drive.promised(exporter);
    const { succeeded, error } = givenAndUndone(world, () => drive.call(world));
    expect({ given: succeeded, error }, drive.what).toEqual({ given: promised, error: drive.error });
    promises.push(succeeded);
  }
  return promises;
}

/** Makes a call until the kernel refuses it, then closes the sockets that it returned. */
export function givenAndUndone(world: World, call: () => unknown): { succeeded: number; error: string } {
  const made: number[] = [];
  const given = untilRefused(() => made.push(Number(call())));
  for (const fd of made) world.abort(fd);
  return given;
}

/** Does something `count` times. */
export function times(count: number, act: (index: number) => unknown): void {
  for (let index = 0; index < count; index++) act(index);
}
