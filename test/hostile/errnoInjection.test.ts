import { openSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ExporterError, errorLine } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { CLONE_NEWNET, loadLibc } from '../../src/kernel/libc.ts';
import { openSession, type SamplingSession } from '../../src/sampling/session.ts';
import type { NamespaceSnapshot, Snapshot } from '../../src/snapshot/snapshot.ts';
import { newWorld, times } from '../live/support/exact.ts';
import { NAME_PREFIX, NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import { samplingOptions } from '../support/samplingOptions.ts';
import { type Call, type Fault, watchCalls, withFault } from './support/faults.ts';

vi.mock('node:fs', async (importOriginal) => {
  const { faultyFs } = await import('./support/faults.ts');
  return faultyFs(await importOriginal());
});
vi.mock('../../src/kernel/libc.ts', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../src/kernel/libc.ts')>();
  const { faultyLibc } = await import('./support/faults.ts');
  return { ...real, loadLibc: () => faultyLibc(real.loadLibc()) };
});

/** Each call again and again with every errno; else each call once, with one errno that the seed chooses. */
const WHOLE = process.env['HOSTILE_WHOLE'] === '1';
const SEED = Number(process.env['HOSTILE_SEED'] ?? Date.now() % 1_000_000);
const CODES: Fault['code'][] = ['ENAMETOOLONG', 'ELOOP', 'EACCES', 'EMFILE', 'ENOMEM', 'EIO', 'ESRCH'];
/** With these the kernel says that it could not look; with the others, that there is nothing, or nothing for us. */
const isShortage = ({ code }: Fault) => code === 'EMFILE' || code === 'ENOMEM';

/** No time limit decides how far a round gets. */
const OPTIONS = samplingOptions({
  namespaces: new RegExp(`^${NAME_PREFIX}`),
  ...{ fullDumpAbove: 0, hasBudget: false, keepsConnections: true, processBudgetMs: 60_000 },
});
/** After so many rounds every result there is stays the same. */
const SETTLING = 4;

describeLive(`A system call that fails (HOSTILE_SEED=${SEED})`, () => {
  let home: number;
  let own: string;
  let open: SamplingSession[];

  beforeEach(() => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    world.listen('127.0.0.1', 40_050);
    world.listen('127.0.0.1', 8003, { device: 'lo' });
    world.connect('127.0.0.1', 8001, { from: '127.0.0.1', port: 40_060 });
    world.bound('127.0.0.1', 40_070);
    times(5, () => world.connect('127.0.0.1', 8001));
    world.connectUdp('127.0.0.1');
    for (let n = 0; n < 2; n++) {
      new NamedNamespace().inside((inside) => {
        inside.listen('127.0.0.1', 8002);
        times(3 + n, () => inside.connect('127.0.0.1', 8002));
      });
    }
    open = [];
    own = ownNamespace();
    home = openSync('/proc/thread-self/ns/net', 'r');
  });
  afterEach(() => {
    for (const session of open.splice(0)) session.close();
    loadLibc().close(home);
  });

  function opened(): SamplingSession {
    const session = openSession(OPTIONS, silentLogger);
    open.push(session);
    return session;
  }

  function closed(session: SamplingSession): void {
    open.splice(open.indexOf(session), 1);
    session.close();
  }

  function settled(): { session: SamplingSession; usual: Snapshot } {
    const session = opened();
    times(SETTLING, () => session.sample());
    return { session, usual: session.sample() };
  }

  it('in a later round fails one collector at most, and the next round is as the one before', () => {
    const { session, usual } = settled();
    const descriptors = descriptorCount();
    const faults = faultsIn(watchCalls(() => session.sample())).filter(({ site }) => !RETURNS.test(site));
    let made = 0;
    for (const fault of faults) {
      let round: Snapshot | undefined;
      const isMade = withFault(fault, () => {
        round = session.sample();
      });
      // Processes of others end, and then there are fewer to look at.
      if (!isMade || round === undefined) continue;
      made++;
      expectOneFailure(fault, usual, round);
      expectRecovery(fault, usual, session);
      expect({ fault, own: ownNamespace(), descriptors: descriptorCount() }).toEqual({
        fault,
        own,
        descriptors,
      });
    }
    console.log(`${made} of ${faults.length} calls failed in a later round`);
    expect(made).toBeGreaterThan(faults.length * 0.9);
  }, 900_000);

  it('at the start is an error of one line, or fails one collector at most of the first round, and no later one', () => {
    const { session: other, usual } = settled();
    closed(other);
    const descriptors = descriptorCount();
    const start = (): Started => {
      const session = opened();
      return { session, round: session.sample() };
    };
    let first: Snapshot | undefined;
    const calls = watchCalls(() => {
      const { session, round } = start();
      first = round;
      closed(session);
    });
    // A start takes longer than a round.
    const faults = faultsIn(calls, false).filter(({ site }) => !RETURNS.test(site));
    let made = 0;
    let refused = 0;
    for (const fault of faults) {
      let started: Started | undefined;
      let error: unknown;
      const isMade = withFault(fault, () => {
        try {
          started = start();
        } catch (thrown) {
          error = thrown;
        }
      });
      if (!isMade || first === undefined) {
        if (started !== undefined) closed(started.session);
        continue;
      }
      made++;
      if (started === undefined) {
        refused++;
        expect({ fault, error }).toEqual({ fault, error: expect.any(ExporterError) });
        expect(errorLine(error)).not.toContain('\n');
      } else {
        expectOneFailure(fault, first, started.round);
        if (isShortage(fault)) expectRecovery(fault, usual, started.session, SETTLING);
        // What was not there at the start may be missing as long as the session lasts.
        else times(SETTLING, () => expectOneFailure(fault, usual, (started as Started).session.sample()));
        closed(started.session);
      }
      expect({ fault, own: ownNamespace(), descriptors: descriptorCount() }).toEqual({
        fault,
        own,
        descriptors,
      });
    }
    console.log(`${made} of ${faults.length} calls failed at the start, ${refused} of which ended it`);
    expect(made).toBeGreaterThan(faults.length * 0.9);
  }, 1_800_000);

  it('on the way home from another namespace ends the sampler, which reports nothing more', () => {
    const { session } = settled();
    const [first] = faultsIn(watchCalls(() => session.sample())).filter(({ site }) => RETURNS.test(site));
    expect(first).toBeDefined();
    for (const code of CODES) {
      const session = opened();
      try {
        expect(() => withFault({ ...(first as Fault), code }, () => session.sample())).toThrow(
          new RegExp(`^returning to the own network namespace: setns\\(\\): .+ \\(${code}\\)$`),
        );
        expect(ownNamespace()).not.toBe(own);
      } finally {
        loadLibc().setns(home, CLONE_NEWNET);
      }
      closed(session);
    }
  });
});

const RETURNS = /^NamespaceSwitcher\.#return /;
const EXPLICIT_WALK = / < ExplicitWalk\.#walk /;
const CGROUP_WALK = / < walkCgroups /;
const UNATTRIBUTED =
  /\.owners\.(?:tcp|udp)\.fullest\.\d+\.owner: "unattributed"|\.owners\.\d+\.owner: "unattributed"/;
/** After that the kernel is asked again for what it refused. */
const REFUSED_MS = 60_000;
/** What the kernel says to the canary is its result; else results, and names, may be missing as a whole. */
const MAY_DIFFER =
  /\.canary\.\d+\.(?:(?:succeeded|error): |calculated is gone)|^[^.]+\.(?:range|tcp|udp|canary|owners|owners\.(?:tcp|udp)) is gone$|\.destinations\.fullest\.\d+\.owners is gone$/;
/** Where the kernel refuses that walk, which connections chose their port by number is not known. */
const WITHOUT_EXPLICIT = /\.tcp\.(?:blocked\.explicit is gone|capacity|connect\.|destinations\.fullest)/;

/** @param isEvery of the calls from one site every one, else one that the seed chooses */
function faultsIn(calls: readonly Call[], isEvery = true): Fault[] {
  const bySite = new Map<string, Call[]>();
  for (const call of calls) {
    const key = `${call.what} ${call.site}`;
    bySite.set(key, [...(bySite.get(key) ?? []), call]);
  }
  return [...bySite.values()].flatMap((made, index) => {
    const [first] = made as [Call];
    if (!WHOLE) return [{ ...first, occurrence: (SEED + index) % made.length, code: codeAt(SEED + index) }];
    const occurrences = isEvery ? made.keys() : [(SEED + index) % made.length];
    return [...occurrences].flatMap((occurrence) => CODES.map((code) => ({ ...first, occurrence, code })));
  });
}

function codeAt(index: number): Fault['code'] {
  return CODES[index % CODES.length] as Fault['code'];
}

interface Started {
  readonly session: SamplingSession;
  readonly round: Snapshot;
}

let waitedMs = 0;
const now = performance.now.bind(performance);

/** For the sampler. */
function wait(ms: number): void {
  waitedMs += ms;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + waitedMs);
}

function ownNamespace(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Of what each collector said failed, without what it waited for in vain. */
function failures({ namespaces }: Snapshot): string[] {
  return namespaces.flatMap(({ netns, outcomes }) =>
    outcomes
      .filter(({ error }) => error !== undefined && !error.startsWith('not sampled:'))
      .map(({ collector }) => `${netns} ${collector}`),
  );
}

/** What is not the same in each round: times, and the order of namespaces. */
function steady({ namespaces }: Snapshot): NamespaceSnapshot[] {
  const text = JSON.stringify(namespaces, (key, value: unknown) =>
    ['seconds', 'sampledAtMs', 'atMs'].includes(key) ? undefined : value,
  );
  return (JSON.parse(text) as NamespaceSnapshot[]).toSorted((a, b) => (a.netns < b.netns ? -1 : 1));
}

/** Each result is as usual or missing, and at most one collector failed of itself. */
function expectOneFailure(fault: Fault, usual: Snapshot, round: Snapshot): void {
  const before = failures(usual);
  const failed = failures(round).filter((one) => !before.includes(one));
  // What is opened, or walked, once serves a collector in every namespace.
  const collectors = /openSession|walkCgroups/.test(fault.site)
    ? failed.map((one) => one.split(' ')[1])
    : failed;
  expect({ fault, failed: new Set(collectors).size > 1 ? failed : [] }).toEqual({ fault, failed: [] });
  const differing = steady(round).flatMap(({ netns, results }) => {
    const usually = steady(usual).find((namespace) => namespace.netns === netns)?.results;
    return differences(usually, results, netns).filter((text) => {
      const isRefusedWalk = EXPLICIT_WALK.test(fault.site) && !isShortage(fault);
      const isHiddenCgroup = CGROUP_WALK.test(fault.site) && !isShortage(fault);
      return (
        !MAY_DIFFER.test(text) &&
        !(isRefusedWalk && WITHOUT_EXPLICIT.test(text)) &&
        !(isHiddenCgroup && UNATTRIBUTED.test(text))
      );
    });
  });
  expect({ fault, differing }).toEqual({ fault, differing: [] });
}

/** The next round is as usual; where the kernel said that nothing is there, one of the next. */
function expectRecovery(
  fault: Fault,
  usual: Snapshot,
  session: SamplingSession,
  rounds = isShortage(fault) ? 1 : SETTLING,
): void {
  // This walk has its turn when the last one has cost no more than its share of the time.
  if (EXPLICIT_WALK.test(fault.site)) wait(isShortage(fault) ? REFUSED_MS / 2 : REFUSED_MS);
  let differing: string[] = [];
  for (let round = 0; round < rounds; round++) {
    differing = differences(steady(usual), steady(session.sample()));
    if (differing.length === 0) break;
  }
  expect({ fault, differing }).toEqual({ fault, differing: [] });
}

/** `pe1-0.tcp.usedPorts: 5, was 6`. */
function differences(before: unknown, now: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(now)) return [];
  if (now === undefined) return [`${path} is gone`];
  if (!isObject(before) || !isObject(now))
    return [`${path}: ${JSON.stringify(now)}, was ${JSON.stringify(before)}`.slice(0, 200)];
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].flatMap((key) => differences(before[key], now[key], path === '' ? key : `${path}.${key}`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
