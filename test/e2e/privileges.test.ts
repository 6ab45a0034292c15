import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NAME_PREFIX, NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import { itNeeding, missingNobody, NOBODY } from './support/needs.ts';
import { childrenOf } from './support/processes.ts';
import { Daemon, type How, run } from './support/program.ts';

const NO_CAPABILITIES = '0000000000000000';
const SOON = { timeout: 10_000 * SLOWNESS, interval: 20 };
/** A sampler that says nothing is waited for about 10 s. */
const HANG = { timeout: 30_000 * SLOWNESS, interval: 100 };

/** What is read twice in a row: the connection of a scrape may be open for a moment longer. */
async function settled<T>(read: () => T): Promise<T> {
  for (let last = read(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 200 * SLOWNESS));
    const now = read();
    if (isDeepStrictEqual(now, last)) return now;
    last = now;
  }
}

/** The processes of a daemon that separates privileges. */
function processesOf({ child }: Daemon): { main: number; launcher: number; sampler: number } {
  const [launcher = 0] = childrenOf(child.pid);
  const [sampler = 0] = childrenOf(launcher);
  return { main: child.pid ?? 0, launcher, sampler };
}

/** A field of the status of each thread. */
function ofThreads(pid: number, field: string): string[] {
  return readdirSync(`/proc/${pid}/task`).map(
    (tid) =>
      new RegExp(`^${field}:\\s*(\\S+)$`, 'm').exec(
        readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1'),
      )?.[1] ?? '',
  );
}

/** Whether it ended, or is at least no more than its exit code. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return true;
  }
}

const descriptorsOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

async function started(args: readonly string[] = [], how: How = {}): Promise<Daemon> {
  return Daemon.started(['--sample.interval=100ms', '--sample.max-duty=1', ...args], how);
}

describeLive('the daemon of a root user', () => {
  it('serves without any capability in any thread, and samples with those it was given', async () => {
    const daemon = await started();
    const { main, launcher, sampler } = processesOf(daemon);
    const own = ofThreads(process.pid, 'CapEff')[0];
    for (const field of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb']) {
      expect(new Set(ofThreads(main, field)), field).toEqual(new Set([NO_CAPABILITIES]));
    }
    // Nor is there a way to get any.
    expect(new Set(ofThreads(main, 'NoNewPrivs'))).toEqual(new Set(['1']));
    for (const pid of [launcher, sampler]) expect(ofThreads(pid, 'CapEff')).toContain(own);
    expect(readFileSync(`/proc/${main}/cmdline`, 'latin1')).toContain('main.js');
    await daemon.end();
  });

  it('listens in the process that serves alone, and opens netlink in the sampler alone', async () => {
    const daemon = await started();
    const { main, launcher, sampler } = processesOf(daemon);
    const listening = execFileSync('ss', ['-ltnpH', `sport = :${daemon.port}`], { encoding: 'utf8' });
    expect([...listening.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid))).toEqual([main]);
    const netlink = readFileSync('/proc/net/netlink', 'latin1').matchAll(/^\S+ 4 +(\d+) /gm);
    expect(
      [...netlink].map(([, port]) => Number(port)).filter((port) => [main, launcher].includes(port)),
    ).toEqual([]);
    expect(sampler).toBeGreaterThan(0);
    await daemon.end();
  });

  it('leaves nothing when it ends, not even by SIGKILL with a sampler that is stopped', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const daemon = await started();
      const { launcher, sampler } = processesOf(daemon);
      process.kill(sampler, 'SIGSTOP');
      await daemon.end(signal);
      await vi.waitFor(() => expect([isGone(launcher), isGone(sampler)]).toEqual([true, true]), SOON);
    }
  });

  it('exits with 1 when its launcher ends, and takes the sampler with it', async () => {
    const daemon = await started();
    const { launcher, sampler } = processesOf(daemon);
    process.kill(launcher, 'SIGKILL');
    await vi.waitFor(() => expect(daemon.child.exitCode).toBe(1), SOON);
    expect(daemon.lines.at(-1)).toMatch(/level=error msg=stopping reason="the launcher ended: [^"]+"$/);
    await vi.waitFor(() => expect(isGone(sampler)).toBe(true), SOON);
  });

  it('goes on where a terminal sends its signals to all of its processes', async () => {
    const daemon = await started();
    const { launcher, sampler } = processesOf(daemon);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) {
      for (const pid of [launcher, sampler]) process.kill(pid, signal);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(processesOf(daemon)).toMatchObject({ launcher, sampler });
    expect((await daemon.get('/-/ready')).status).toBe(200);
    expect(daemon.lines.join('\n')).not.toMatch(/level=(warn|error)/);
    await daemon.end();
  });

  it(
    'kills a sampler that hangs: the network namespaces it knew die, and no descriptor is left',
    async () => {
      const ids = Array.from({ length: 5 }, (_, n) => 1_000_000 + (process.pid % 100_000) * 10 + n);
      const namespaces = ids.map(() => new NamedNamespace());
      for (const [n, { name }] of namespaces.entries()) {
        execFileSync('ip', ['netns', 'set', name, String(ids[n])]);
      }
      /** The kernel knows an id as long as the namespace lives. */
      const alive = () => {
        const known = execFileSync('ip', ['netns', 'list-id'], { encoding: 'utf8' });
        return ids.filter((id) => new RegExp(`^nsid ${id}\\b`, 'm').test(known));
      };
      const daemon = await started([], {
        env: { PORT_EXPORTER_NAMESPACES: `${NAME_PREFIX}.*` },
      });
      const [{ name = '' } = {}] = namespaces;
      await vi.waitFor(async () => expect((await daemon.get('/metrics')).text).toContain(`"${name}"`), SOON);
      const { main, launcher, sampler } = processesOf(daemon);
      const before = await settled(() => [main, launcher].map(descriptorsOf));
      process.kill(sampler, 'SIGSTOP');
      expect(alive()).toEqual(ids);
      for (const namespace of namespaces) namespace.close();
      await vi.waitFor(() => expect(isGone(sampler)).toBe(true), HANG);
      await vi.waitFor(async () => expect((await daemon.get('/-/ready')).status).toBe(200), HANG);
      expect(daemon.lines.join('\n')).toMatch(
        /msg="sampling stopped" reason="the sampler hangs: no message for \w+"/,
      );
      const next = processesOf(daemon);
      expect(next).toMatchObject({ main, launcher });
      expect(next.sampler).not.toBe(sampler);
      await vi.waitFor(() => expect(alive()).toEqual([]), SOON);
      await vi.waitFor(() => expect([main, launcher].map(descriptorsOf)).toEqual(before), SOON);
      await daemon.end();
    },
    90_000 * SLOWNESS,
  );

  it(
    'takes no sampler for one that hangs because all of it was stopped',
    async () => {
      const daemon = await started();
      const pids = Object.values(processesOf(daemon));
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 14_000));
      for (const pid of pids) process.kill(pid, 'SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect((await daemon.get('/-/ready')).status).toBe(200);
      expect(Object.values(processesOf(daemon))).toEqual(pids);
      expect(daemon.lines.join('\n')).not.toMatch(/level=(warn|error)/);
      await daemon.end();
    },
    60_000 * SLOWNESS,
  );
});

itNeeding(
  missingNobody,
  'a daemon without capabilities starts its sampler itself, without a launcher',
  async () => {
    const daemon = await started([], { uid: NOBODY });
    const [sampler = 0, ...others] = childrenOf(daemon.child.pid);
    expect(others).toEqual([]);
    expect(readFileSync(`/proc/${sampler}/cmdline`, 'latin1')).toContain('sampler.js');
    expect(childrenOf(sampler)).toEqual([]);
    expect((await daemon.end()).code).toBe(0);
    await vi.waitFor(() => expect(isGone(sampler)).toBe(true), SOON);
  },
);

describeLive('a privileged port', () => {
  /** Free in this test's network namespace. */
  const PORT = 417;

  it('is listened on for root, though the process that serves has no capability', async () => {
    const namespace = new NamedNamespace();
    // Whatever the machine allows to everybody.
    namespace.inside((world) => world.sysctl('net.ipv4.ip_unprivileged_port_start', '1024'));
    const launcher = ['ip', 'netns', 'exec', namespace.name];
    const daemon = await started([`--web.listen-address=127.0.0.1:${PORT}`], { launcher });
    const ask = `fetch('http://127.0.0.1:${PORT}/-/healthy').then(async (answer) => console.log(await answer.text()))`;
    const asked = [...launcher.slice(1), process.execPath, '-e', ask];
    for (const _ of [1, 2, 3, 4, 5])
      expect(execFileSync('ip', asked, { encoding: 'utf8' })).toBe('healthy\n\n');
    const [main = 0] = [daemon.child.pid];
    expect(new Set(ofThreads(main, 'CapEff'))).toEqual(new Set([NO_CAPABILITIES]));
    await daemon.end();
  });

  it('is what the machine says it is', async () => {
    const namespace = new NamedNamespace();
    namespace.inside((world) => world.sysctl('net.ipv4.ip_unprivileged_port_start', '20000'));
    const launcher = ['ip', 'netns', 'exec', namespace.name];
    const daemon = await started(['--web.listen-address=127.0.0.1:10417'], { launcher });
    expect(daemon.port).toBe(10_417);
    await daemon.end();
  });

  it('that is taken is one line', async () => {
    const namespace = new NamedNamespace();
    namespace.inside((world) => {
      world.sysctl('net.ipv4.ip_unprivileged_port_start', '1024');
      world.listen('127.0.0.1', PORT);
    });
    const { code, stderr } = await run([`--web.listen-address=127.0.0.1:${PORT}`], {
      launcher: ['ip', 'netns', 'exec', namespace.name],
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^port-exporter: listening on 127\.0\.0\.1:417: address already in use \(EADDRINUSE\)(?:: held by \S+)?$/m,
    );
  });
});
