import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { FakeManager } from '../systemd/fakeManager.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, run } from './support/program.ts';
import { mainWithoutFfi } from './support/withoutPackage.ts';

const PATIENCE = { timeout: 20_000 * SLOWNESS, interval: 20 };
const WORST = 'worst: \\w+ \\w+ [\\d.]+ % used, \\d+ ports left, in \\S+; 1 namespace; a sample every 5s';
const NO_COMMANDS = { PATH: '/nonexistent' };

itNeeding(missingTool('systemd-notify'), 'with the command systemd-notify', async () => {
  const manager = new FakeManager();
  const daemon = new Daemon(['--web.listen-address=127.0.0.1:0'], {
    env: { NOTIFY_SOCKET: manager.address },
  });
  await daemon.logged(/msg="first sample"/);
  await vi.waitFor(() => expect(manager.messages).toHaveLength(1), PATIENCE);
  expect(manager.messages[0]).toMatch(
    new RegExp(`^READY=1\\nSTATUS=${WORST}\\nMAINPID=${daemon.child.pid}$`),
  );
  expect(await daemon.end()).toMatchObject({ code: 0 });
  expect(manager.messages.slice(1)).toEqual(['STOPPING=1\nSTATUS=stopping']);
});

it('without it the same as datagrams, and one line', async () => {
  const manager = new FakeManager();
  const daemon = await Daemon.started([], { env: { NOTIFY_SOCKET: manager.address, ...NO_COMMANDS } });
  await vi.waitFor(() => expect(manager.messages).toHaveLength(1), PATIENCE);
  expect(manager.messages[0]).toMatch(new RegExp(`^READY=1\\nSTATUS=${WORST}$`));
  await daemon.end();
  expect(manager.messages.slice(1)).toEqual(['STOPPING=1\nSTATUS=stopping']);
  expect(daemon.lines.filter((line) => !line.includes('level=info'))).toEqual([
    expect.stringMatching(
      /level=warn msg="failed to notify the service manager: the command systemd-notify" error="spawn systemd-notify ENOENT"$/,
    ),
  ]);
});

it('a watchdog is fed by this process, without any other', async () => {
  const manager = new FakeManager();
  const daemon = await Daemon.started([], {
    env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '400000', ...NO_COMMANDS },
  });
  await vi.waitFor(() => expect(beats(manager)).toBeGreaterThan(5), PATIENCE);
  // A process that does not run does not beat.
  daemon.child.kill('SIGSTOP');
  const stopped = beats(manager);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(beats(manager)).toBeLessThanOrEqual(stopped + 1);
  daemon.child.kill('SIGCONT');
  await vi.waitFor(() => expect(beats(manager)).toBeGreaterThan(stopped + 1), PATIENCE);
  await daemon.end();
});

it('a watchdog is fed through the command where the FFI library is missing, which is said', async () => {
  const directory = newDirectory();
  const [command, log] = [join(directory, 'systemd-notify'), join(directory, 'log')];
  writeFileSync(command, `#!/bin/sh\necho "$@" >>${log}\n`);
  chmodSync(command, 0o755);
  const daemon = await Daemon.started([], {
    main: mainWithoutFfi(),
    env: {
      NOTIFY_SOCKET: '/nonexistent',
      WATCHDOG_USEC: '400000',
      PATH: `${directory}:${process.env['PATH']}`,
    },
  });
  const { pid } = daemon.child;
  const said = () => readFileSync(log, 'utf8').trimEnd().split('\n');
  await vi.waitFor(() => {
    expect(said().filter((line) => line === `--pid=${pid} WATCHDOG=1`).length).toBeGreaterThan(2);
  }, PATIENCE);
  expect(said().filter((line) => line.startsWith('--ready '))).toEqual([
    expect.stringMatching(new RegExp(`^--ready --pid=${pid} --status=${WORST}$`)),
  ]);
  expect(daemon.lines.filter((line) => /systemd/.test(line))).toEqual([
    expect.stringMatching(
      /level=warn msg="falling back to the command systemd-notify, a process for each watchdog keep-alive" error="loading the C library/,
    ),
  ]);
  await daemon.end();
});

it('a service manager that cannot be reached is a line, and nothing else', async () => {
  const daemon = await Daemon.started([], {
    env: { NOTIFY_SOCKET: '/nonexistent/socket', WATCHDOG_USEC: '40000', ...NO_COMMANDS },
  });
  await daemon.logged(/service manager: watchdog.*ENOENT/);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await daemon.get('/-/ready')).status).toBe(200);
  expect(await daemon.end()).toMatchObject({ code: 0, signal: null });
  expect(daemon.lines.filter((line) => /service manager: watchdog/.test(line))).toHaveLength(1);
});

it('--web.systemd-socket without a socket is one line', async () => {
  expectOneLine(
    await run(['--web.systemd-socket', '--log.level=error']),
    '--web.systemd-socket: no sockets passed by systemd: LISTEN_PID and LISTEN_FDS are not set: expected to be started by a socket unit',
  );
});

function beats({ messages }: FakeManager): number {
  return messages.filter((message) => message === 'WATCHDOG=1').length;
}
