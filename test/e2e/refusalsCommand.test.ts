import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeOverBpf } from '../live/support/privilege.ts';
import { SERVER_PORT, type World, type WorldSetup } from '../live/support/world.ts';
import { expectHarmless, PIPE } from '../reports/reports.ts';
import { itNeeding, missingCommand, missingNobody, NOBODY } from './support/needs.ts';
import { expectOneLine } from './support/oneLine.ts';
import { Daemon, run } from './support/program.ts';
import { left, Watching } from './support/watching.ts';

vi.setConfig({ testTimeout: 60_000 * SLOWNESS });

const SETUP: WorldSetup = { range: [40_000, 40_003] };
const ADDRESS = '127.0.0.1';
const REFUSING = fileURLToPath(new URL('../live/support/refusing.mjs', import.meta.url));
/** What this process does, and no other on the machine. */
const OURS = `--netns=${process.pid}`;
const SOON = { timeout: 10_000 * SLOWNESS, interval: 20 };
/** Each time takes a port, which is free again after a second. */
const RARELY = { ...SOON, interval: 500 };
const missingBpftool = missingCommand('bpftool');

/** In which no port is left for a connect() to ADDRESS. */
function exhausted(world = newWorld(SETUP)): World {
  times(4, () => world.connect(ADDRESS));
  return world;
}

function refuse(world: World): void {
  expect(() => world.connect(ADDRESS)).toThrow('EADDRNOTAVAIL');
}

/** A program that makes so many calls that are refused. */
function refusing(howMany: string): ChildProcess {
  const child = spawn(process.execPath, [REFUSING, ADDRESS, String(SERVER_PORT), howMany], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

interface Line {
  readonly pid?: number;
  readonly notShown?: number;
  readonly refused?: number;
  readonly counted?: readonly unknown[];
}

const parsed = (lines: readonly string[]): Line[] => lines.map((line) => JSON.parse(line));

describeOverBpf('refusals', () => {
  it('--follow prints each call as it happens, and after Ctrl-C how many there were', async () => {
    const world = exhausted();
    const watching = await Watching.started(['--follow', OURS]);
    refuse(world);
    const line = await watching.printed(/EADDRNOTAVAIL/);
    expect(line).toMatch(
      new RegExp(
        `^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}  \\S.*/${process.pid} .* tcp_connect  127\\.0\\.0\\.1 +127\\.0\\.0\\.1:8001 `,
      ),
    );
    refuse(world);
    await vi.waitFor(() => expect(watching.lines).toHaveLength(3), SOON);
    expect(await watching.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(watching.lines.slice(3)).toEqual([
      '',
      expect.stringMatching(/^2 .*calls were refused in \d+\w+\.$/),
      '',
      expect.stringMatching(/^REFUSED {2}CALL /),
      expect.stringMatching(/^ +2 {2}tcp_connect {2}127\.0\.0\.1 {2}127\.0\.0\.1:8001 {2}.*\/\d+ /),
    ]);
    expectHarmless(watching.lines.join('\n'), PIPE);
  });

  it('names the namespaces of others, also of those that come while it watches', async () => {
    newWorld(SETUP);
    const before = new NamedNamespace(SETUP);
    const watching = await Watching.started(['--follow']);
    const after = new NamedNamespace(SETUP);
    for (const namespace of [before, after]) {
      namespace.inside((world) => refuse(exhausted(world)));
      expect(await watching.printed(new RegExp(`${namespace.name}$`))).toContain('127.0.0.1:8001');
    }
    expect(await watching.end('SIGTERM')).toEqual({ code: 0, signal: null });
    const { stdout } = await run(['refusals', '--for=1ms', `--netns=${after.name}`]);
    expect(stdout).toMatch(/^No .*calls were refused in \d+ms\.\n$/);
    expectOneLine(
      await run(['refusals', '--netns=no-such']),
      /^--netns: no network namespace or process "no-such"/,
    );
  });

  it('watches for a while, says what is not counted, and that there was none', async () => {
    newWorld(SETUP);
    const { code, stdout, stderr } = await run(['refusals', '--for=300ms', OURS, '--json']);
    const [summary] = parsed(stdout.trimEnd().split('\n'));
    expect([code, summary?.refused]).toEqual([0, 0]);
    const isWhole = summary?.counted?.length === 4;
    expect(stderr).toMatch(isWhole ? /^$/ : /^port-exporter: not counted here: (TCP|UDP) .+\n$/);
  });

  it('ends at once on Ctrl-C, with 130 where its time was not over', async () => {
    newWorld(SETUP);
    const watching = await Watching.started(['--for=1h', OURS]);
    expect(await watching.end('SIGINT')).toEqual({ code: 130, signal: null });
    expect(watching.lines).toEqual([expect.stringMatching(/^No .*calls were refused in /)]);
  });

  it('ends when nobody reads any more, be there something to print or not', async () => {
    const world = exhausted();
    for (const act of [() => {}, () => refuse(world)]) {
      const watching = await Watching.started(['--follow', OURS]);
      watching.child.stdout.destroy();
      act();
      expect(await watching.end()).toEqual({ code: 141, signal: null });
      expect(watching.stderr).not.toMatch(/EPIPE|error/);
    }
  });

  itNeeding(missingBpftool, 'leaves nothing in the kernel, however it ends', async () => {
    newWorld(SETUP);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
      const watching = await Watching.started(['--follow']);
      const ids = watching.inKernel;
      expect(left(ids).length).toBeGreaterThan(2);
      await watching.end(signal);
      await vi.waitFor(() => expect(left(ids), signal).toEqual([]), SOON);
    }
  });

  it('shows of 50 000 what the queue holds, and counts them all', async () => {
    exhausted();
    const watching = await Watching.started(['--follow', '--json', OURS]);
    const child = refusing('50000');
    await once(child, 'close');
    await watching.end('SIGINT');
    const lines = parsed(watching.lines);
    const shown = lines.filter(({ pid }) => pid === child.pid).length;
    const notShown = lines.reduce((sum, line) => sum + (line.notShown ?? 0), 0);
    expect(shown + notShown).toBe(50_000);
    expect(notShown).toBeGreaterThan(0);
    expect(lines.at(-1)).toMatchObject({
      refused: 50_000,
      most: [{ count: 50_000, last: { pid: child.pid } }],
    });
  });

  it('ends though its reader is stuck while calls are refused without end', async () => {
    exhausted();
    const watching = await Watching.started(['--follow', OURS], { isRead: false });
    refusing('60000ms');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const startedAt = performance.now();
    const ended = once(watching.child, 'exit');
    watching.child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(performance.now() - startedAt).toBeLessThan(3000 * SLOWNESS);
    watching.child.stdout.destroy();
  });

  it('prints harmlessly what a process calls itself', async () => {
    const world = exhausted();
    const known = readFileSync('/proc/thread-self/comm');
    const watching = await Watching.started(['--follow', OURS]);
    writeFileSync('/proc/thread-self/comm', '\u001b[2J\u001b]0;x\r\n\u202e');
    try {
      refuse(world);
    } finally {
      writeFileSync('/proc/thread-self/comm', known);
    }
    expect(await watching.printed(/EADDRNOTAVAIL/)).toContain('  \\u001b[2J\\u001b]0;x\\u000d\\u000a');
    await watching.end('SIGINT');
    expectHarmless(watching.lines.join('\n'), PIPE);
  });

  it('and a daemon and a second one beside it count the same', async () => {
    const world = newWorld(SETUP);
    const daemon = await Daemon.started(['--web.listen-address=127.0.0.1:9100']);
    exhausted(world);
    await daemon.logged(/msg="counting refused calls"/);
    const both = [await Watching.started(['--follow', OURS]), await Watching.started(['--follow', OURS])];
    times(7, () => refuse(world));
    for (const watching of both) await vi.waitFor(() => expect(watching.lines).toHaveLength(8), SOON);
    const [first, second] = both;
    await first?.end('SIGKILL');
    times(2, () => refuse(world));
    await second?.end('SIGINT');
    expect(second?.lines).toContainEqual(expect.stringMatching(/^9 .*calls were refused in /));
    await vi.waitFor(async () => {
      const { text: metrics } = await daemon.get('/metrics');
      // Of this destination: a scrape takes one of the few ports, too, and may be refused.
      const ofDestination = `^port_destination_refusals_total\\{[^}]*remote_port="${SERVER_PORT}"\\} 9$`;
      expect(metrics).toMatch(new RegExp(ofDestination, 'm'));
    }, RARELY);
    await daemon.end();
  });
});

describe('refusals that cannot be counted are one line', () => {
  itNeeding(missingNobody, 'without privilege', async () => {
    expectOneLine(
      await run(['refusals', '--follow'], { uid: NOBODY }),
      /^counting refused calls: (needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN|needs Linux 6\.1 .*)$/,
    );
  });
});
