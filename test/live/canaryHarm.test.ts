import { expect, it } from 'vitest';
import { newWorld, times } from './support/exact.ts';
import { Exporter } from './support/exporter.ts';
import { describeLive } from './support/privilege.ts';
import { untilRefused, type World } from './support/world.ts';

type Prepare = (world: World) => unknown;

/** States in which automatic bind() may be given a port that connections hold, and parity says otherwise. */
const STATES: Readonly<Record<string, Prepare>> = {
  'nothing but connections': (world) => times(40, () => world.connect('127.0.0.1')),
  'a destination past its half': (world) => times(80, () => world.connect('127.0.0.1')),
  // Its connections in the second half look as if they had done bind() first, and had not.
  'a destination that went past its half and drained again': (world) => {
    const connections = Array.from({ length: 100 }, () => world.connect('127.0.0.1'));
    for (const fd of connections.slice(0, 60)) world.abort(fd);
  },
  'the first half taken by listeners': (world) => {
    times(50, (index) => world.listen('127.0.0.8', 40_001 + 2 * index));
    times(20, () => world.connect('127.0.0.1'));
  },
  'connections that did bind() first': (world) =>
    times(30, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' })),
  'ports bound by number': (world) =>
    times(20, (index) => world.connect('127.0.0.1', 8001, { from: '127.0.0.1', port: 40_001 + 4 * index })),
};

/** The same for the same seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A mixture of everything that holds a port, some of which ends again. */
function mixture(seed: number): Prepare {
  return (world) => {
    const below = random(seed);
    const open: number[] = [];
    times(4 + below(5), () => {
      const to = `127.0.0.${1 + below(3)}`;
      const count = 5 + below(35);
      const kind = below(5);
      times(count, () => {
        const port = 40_000 + below(100);
        const made = attempt(() => {
          if (kind === 0) return world.bound(`127.0.0.${4 + below(3)}`);
          if (kind === 1) return world.connect(to, 8001, { from: '127.0.0.1' });
          if (kind === 2) return world.connect(to, 8001, { from: '127.0.0.1', port });
          if (kind === 3) return world.listen('127.0.0.8', port);
          return world.connect(to);
        });
        if (made !== undefined) open.push(made);
      });
      for (const fd of open.splice(0, below(open.length + 1))) world.abort(fd);
    });
  };
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** How many connects to a destination that nobody uses the kernel gives; nothing is left of them. */
function connectsLeft(world: World): number {
  const made: number[] = [];
  untilRefused(() => made.push(world.connect('127.0.0.9')));
  for (const fd of made) world.abort(fd);
  return made.length;
}

/** The canary's answers of so many samples in one state, before and after which the kernel must give as much. */
function expectUnharmed(samples: number, prepare: Prepare): void {
  const world = newWorld();
  prepare(world);
  const before = connectsLeft(world);
  const exporter = new Exporter();
  times(samples, () => exporter.sampleOnly());
  exporter.close();
  expect(connectsLeft(world)).toBe(before);
}

describeLive('The canary takes no port from anybody', () => {
  it.each(Object.entries(STATES))('%s', (_what, prepare) => expectUnharmed(20, prepare));

  it.each(Array.from({ length: 40 }, (_, index) => [index + 1]))('random mixture %i', (seed) =>
    expectUnharmed(10, mixture(seed)),
  );
});
