import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { Daemon, run } from '../e2e/support/program.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { newWorld, times } from './support/exact.ts';
import { SLOWNESS } from './support/kernel.ts';
import { describeInCgroups } from './support/privilege.ts';
import { untilRefused } from './support/world.ts';
import { Dice } from './support/zoo/dice.ts';
import { falsifyFiles, mixture } from './support/zoo/mixture.ts';
import { Visitor } from './support/zoo/visitor.ts';
import { type Animal, newZoo, type Zoo } from './support/zoo/zoo.ts';

const SEED = Number(process.env['ZOO_SEED'] ?? Date.now() % 1_000_000);
const INTERVAL_MS = 200;
const HONEST_PORT = 9000;
/** Below the range, so that it blocks nothing. */
const WEB = '127.0.0.1:9001';

/** How a defect would look, or a descriptor's errno that nobody thought of. */
const TRACE = /^ {4}at |internal error|TypeError|RangeError|heap|E[A-Z]{3,}:/m;
/** What the exporter may say of this zoo: of what is flooded or changes while it looks. */
const KNOWN = [
  /level=info /,
  /msg="service names of listeners are unknown"/,
  /msg="kernel disagrees with the calculation" netns=net:/,
];

describeInCgroups('A zoo of hostile processes', () => {
  itNeeding(
    missingTool('gcc') ?? missingTool('promtool'),
    `stops no sample and misleads nobody (ZOO_SEED=${SEED})`,
    async () => {
      console.log(`ZOO_SEED=${SEED}`);
      const dice = new Dice(SEED);
      const zoo = await newZoo();
      const how = { launcher: zoo.launcher, env: { PORT_EXPORTER_NAMESPACES: 'all' } };
      const world = newWorld({ enter: () => zoo.enter(), range: [40_000, 40_499], twReuse: 0 });
      times(30, () => world.connect('127.0.0.1'));
      world.timeWait(20, '127.0.0.1');
      await falsifyFiles(zoo, dice);
      await claimListener(zoo);
      const arrivals = mixture(dice);
      const settle = async (from: number, to: number) => {
        const settled: Animal[] = [];
        for (const arrive of arrivals.slice(from, to)) settled.push(await arrive(zoo));
        return settled;
      };
      const half = Math.floor(arrivals.length / 2);
      const early = await settle(0, half);

      const budget = { PORT_EXPORTER_PROCESSES_BUDGET: '100ms' };
      const daemon = await Daemon.started(
        [`--sample.interval=${INTERVAL_MS}ms`, '--sample.max-duty=1', `--web.listen-address=${WEB}`],
        { ...how, env: { ...how.env, ...budget } },
      );
      const visitor = new Visitor(daemon, INTERVAL_MS);
      const animals = [...early, ...(await settle(half, arrivals.length))];

      const { stdout } = await answered(['--once', '--namespaces.full-dump-above=0'], how);
      expectNumbers(zoo, animals, parseExposition(stdout));
      expectValid(stdout);
      for (const command of [['listeners'], ['destinations'], ['explain'], ['explain', '127.0.0.1:8001']]) {
        await answered(command, how);
      }
      await sleep(2000);
      const seen = await visitor.leave();
      expect(seen.failed).toEqual([]);
      expect(seen.statuses).toEqual([200]);
      expect(seen.samples).toBeGreaterThan(5);
      expect(seen.longestGapSeconds).toBeLessThan(2 * SLOWNESS);
      expect(seen.longestAgeSeconds).toBeLessThan(2 * SLOWNESS);
      expect(seen.holdersOf(HONEST_PORT)).toEqual(['honest']);
      expect(daemon.lines.filter((line) => !KNOWN.some((known) => known.test(line)))).toEqual([]);
      expect(daemon.lines.join('\n')).not.toMatch(TRACE);

      const promised = seen.last.find(
        ({ name, labels }) =>
          name === 'port_destination_available_ports' &&
          labels['netns'] === 'host' &&
          labels['remote_port'] === '8001',
      )?.value;
      expect(promised).toBe(450);
      expect(untilRefused(() => world.connect('127.0.0.1')).succeeded).toBe(promised);
    },
    90_000 * SLOWNESS,
  );
});

/** Somebody with a lower pid than the holder's, which is looked at first, has files that are called like its socket. */
async function claimListener(zoo: Zoo): Promise<void> {
  const honest = await zoo.add('honest', HONEST_PORT, 'honest');
  await zoo.add('claims', 0, 'liar', honest.inode);
  await zoo.add('relieve', 0, 'x', honest.pid);
}

async function answered(args: readonly string[], how: Parameters<typeof run>[1]): ReturnType<typeof run> {
  const ended = await run(args, { ...how, env: { ...how?.env, PORT_EXPORTER_PROCESSES_BUDGET: '1s' } });
  expect({ args, code: ended.code, stderr: ended.stderr }).toMatchObject({ args, code: 0 });
  expect(ended.stderr).not.toMatch(TRACE);
  return ended;
}

/** In the namespaces where nothing changes: as many sockets as ss(8) counts, and as many ports as the sysctls leave. */
function expectNumbers(zoo: Zoo, animals: readonly Animal[], series: readonly Series[]): void {
  const of = (name: string, netns: string | undefined) =>
    series
      .filter((one) => one.name === name && one.labels['netns'] === netns)
      .filter(({ labels }) => labels['protocol'] !== 'udp' && labels['state'] !== 'bound_inactive')
      .reduce((sum, { value }) => sum + value, 0);
  const quiet = animals.filter(({ kind }) => kind === 'own-namespace');
  expect(quiet.length).toBeGreaterThan(0);
  for (const { pid } of quiet) {
    const inode = /\d+/.exec(zoo.read('readlink', `/proc/${pid}/ns/net`))?.[0];
    const info = series.find(
      ({ name, labels }) => name === 'port_namespace_info' && labels['inode'] === inode,
    );
    const netns = info?.labels['netns'];
    const inside = (...command: string[]) => zoo.read('nsenter', `--net=/proc/${pid}/ns/net`, ...command);
    const sockets = inside('ss', '-Hant').split('\n').length - 1;
    const [range = '', reserved = ''] = ['ip_local_port_range', 'ip_local_reserved_ports'].map((name) =>
      // In one read(), since the kernel answers no second one: the list may have 186 KiB.
      inside('dd', 'bs=1M', 'status=none', `if=/proc/sys/net/ipv4/${name}`),
    );
    expect({ pid, sockets: of('port_sockets', netns), ports: of('port_ephemeral_ports', netns) }).toEqual({
      pid,
      sockets,
      ports: usable(range, reserved),
    });
  }
}

function usable(range: string, reserved: string): number {
  const [first = 1, last = 0] = range.trim().split(/\s+/).map(Number);
  const free = new Set<number>();
  for (let port = first; port <= last; port++) free.add(port);
  for (const pair of reserved.trim().split(',').filter(Boolean)) {
    const [from = 0, to = from] = pair.split('-').map(Number);
    for (let port = from; port <= to; port++) free.delete(port);
  }
  return free.size;
}

function expectValid(exposition: string): void {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: exposition,
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  const values = parseExposition(exposition).flatMap(({ labels }) => Object.values(labels));
  expect(values.filter((value) => /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value))).toEqual([]);
}
