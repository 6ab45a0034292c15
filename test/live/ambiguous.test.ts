import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { connects, expectExact, newWorld, times } from './support/exact.ts';
import { Exporter, sampled } from './support/exporter.ts';
import { KERNEL_TELLS_BLOCKED, READS_BUCKETS, SLOWNESS } from './support/kernel.ts';
import { PosixError } from './support/posix.ts';
import { describeLive } from './support/privilege.ts';
import { untilRefused, World } from './support/world.ts';

/** Every port may have been chosen by either call: their parity does not tell. */
const STATES: readonly (readonly [string, (world: World) => void, number])[] = [
  [
    'bind() with SO_REUSEADDR, which takes both parities of the lower half first',
    (world) => times(40, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1', reuseAddress: true })),
    60,
  ],
  [
    'bind() beyond half of the range, to one destination',
    (world) => times(70, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' })),
    30,
  ],
  [
    'bind() beyond half of the range, to several destinations',
    (world) => times(70, (i) => world.connect('127.0.0.1', 8001 + (i % 5), { from: '127.0.0.1' })),
    30,
  ],
  [
    'bind() towards a destination that is past its half',
    (world) => {
      times(52, () => world.connect('127.0.0.1', 8001));
      times(20, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
    },
    80,
  ],
  [
    'bind() where reserved ports take a whole parity away',
    (world) => {
      world.sysctl(
        'net.ipv4.ip_local_reserved_ports',
        Array.from({ length: 50 }, (_, i) => 40_001 + 2 * i).join(','),
      );
      times(20, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
      times(10, () => world.connect('127.0.0.1', 8002));
    },
    30,
  ],
];

describeLive('Connections whose parity does not tell whether bind() chose their port', () => {
  it.runIf(KERNEL_TELLS_BLOCKED).each(STATES)('%s: the kernel is asked', async (_, prepare, left) => {
    const drives = [connects('127.0.0.2'), connects('::1'), connects('127.0.0.1', { port: 8009 })];
    expect(await expectExact({}, prepare, drives)).toEqual([left, left, left]);
  });

  it.skipIf(READS_BUCKETS).each(STATES)(
    '%s: at least so many, where it is not asked',
    async (_, prepare, left) => {
      const world = newWorld();
      prepare(world);
      const exporter = await sampled({ canary: false });
      expect(exporter.value('port_ephemeral_uncertain_ports')).toBeGreaterThan(0);
      const promised = connects('127.0.0.2').promised(exporter);
      expect(promised).toBeLessThanOrEqual(left);
      // What is likely is no bound: an alert stands on it.
      const ratio = Number(exporter.value('port_exhaustion_ratio', { protocol: 'tcp', scope: 'connect' }));
      const available = exporter.value('port_exhaustion_available_ports', {
        protocol: 'tcp',
        scope: 'connect',
      });
      expect(Math.round(100 * (1 - ratio))).toBeGreaterThanOrEqual(Number(available));
      expect(untilRefused(() => world.connect('127.0.0.2')).succeeded).toBe(left);
    },
  );

  it.runIf(KERNEL_TELLS_BLOCKED)(
    'a question sends nothing, moves no counter and leaves nothing',
    async () => {
      const world = newWorld();
      times(80, () => world.connect('127.0.0.1'));
      times(80, () => world.accept('127.0.0.1'));
      const counted = () =>
        ['snmp', 'netstat', 'dev', 'sockstat', 'tcp'].map((name) =>
          readFileSync(`/proc/thread-self/net/${name}`, 'utf8')
            // The kernel frees netlink sockets a moment later.
            .replace(/^sockets: used.*/, '')
            // These three are of the whole host, where other tests run.
            .replaceAll(/ (orphan|alloc|mem) \d+/g, ''),
        );
      const before = await settled(counted);
      const exporter = new Exporter({ canary: true });
      await exporter.sample();
      exporter.close();
      expect(counted()).toEqual(before);
      expect(exporter.value('port_ephemeral_uncertain_ports')).toBe(0);
      expect(connects('127.0.0.2').promised(exporter)).toBe(100);
      expect(untilRefused(() => world.connect('127.0.0.2')).succeeded).toBe(100);
    },
  );

  /** Once it stays the same: on a busy machine the kernel takes the last packets of a handshake later. */
  async function settled<T>(look: () => T): Promise<T> {
    for (let before = look(); ; ) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const after = look();
      if (JSON.stringify(after) === JSON.stringify(before)) return after;
      before = after;
    }
  }

  const calls = fc.array(
    fc.record({
      count: fc.integer({ min: 1, max: 45 }),
      port: fc.constantFrom(8001, 8002, 8003),
      client: fc.constantFrom(
        {},
        {},
        { from: '127.0.0.1' },
        { from: '127.0.0.1', reuseAddress: true },
        { from: '127.0.0.9' },
        { from: '127.0.0.9', noPort: true },
      ),
      sampledAfter: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  );
  it.runIf(KERNEL_TELLS_BLOCKED).each([
    ['as many as promised', true],
    ['no fewer than promised, where the kernel is not asked', false],
  ] as const)(
    'any mixture of these calls, in any order: %s',
    async (_, canary) => {
      await fc.assert(
        fc.asyncProperty(calls, async (mixture) => {
          const world = new World();
          const exporter = new Exporter({ canary });
          try {
            for (const { count, port, client, sampledAfter } of mixture) {
              for (let i = 0; i < count; i++) unlessRefused(() => world.connect('127.0.0.1', port, client));
              if (sampledAfter) await exporter.sample();
            }
            await exporter.sample();
            const promised = connects('127.0.0.2').promised(exporter) ?? Number.NaN;
            const { succeeded } = untilRefused(() => world.connect('127.0.0.2'));
            if (canary) expect(promised).toBe(succeeded);
            else expect(promised).toBeLessThanOrEqual(succeeded);
          } finally {
            exporter.close();
            world.close();
          }
        }),
        { numRuns: 60 },
      );
    },
    60_000 * SLOWNESS,
  );
});

function unlessRefused(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
  }
}
