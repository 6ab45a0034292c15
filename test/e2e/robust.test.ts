import { chmodSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { BOTH, expectOneLine } from './support/oneLine.ts';
import { fixtureText, newDirectory, newProcfs } from './support/procfs.ts';
import { type How, run } from './support/program.ts';

describe('a bad command line', () => {
  it.each([
    [
      ['--sample.interval=5'],
      '--sample.interval: invalid duration "5": expected one like 500ms, 15s or 1h30m',
    ],
    [
      ['--web.listen-address=10069'],
      '--web.listen-address: invalid listen address "10069": expected :PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535',
    ],
    [
      ['--sample.source=proc'],
      '--sample.source: invalid value "proc": expected one of auto, bpf, netlink, procfs',
    ],
    [['--sample.max-duty=2'], '--sample.max-duty: invalid value "2": expected a number above 0 and up to 1'],
    [['--nonsense'], 'unknown flag --nonsense; see --help'],
  ])('%s is one line', async (args, line) => {
    expectOneLine(await run(args), line);
  });

  it('also in an environment variable', async () => {
    const ended = await run([], { env: { PORT_EXPORTER_LOG_LEVEL: 'loud' } });
    expectOneLine(
      ended,
      'PORT_EXPORTER_LOG_LEVEL: invalid value "loud": expected one of debug, info, warn, error',
    );
  });
});

describe('listening', () => {
  it('on an address in use is one line, which says who holds it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const bound = server.address();
    const address = `127.0.0.1:${typeof bound === 'object' && bound?.port}`;
    try {
      const args = [`--web.listen-address=${address}`, '--log.level=error', '--processes.budget=5s'];
      const held = `held by .+/${process.pid}(?: of \\S+)?`;
      expectOneLine(
        await run(args),
        new RegExp(`^listening on ${address}: address already in use \\(EADDRINUSE\\): ${held}$`),
      );
    } finally {
      server.close();
    }
  });

  it('on an address of another machine is one line', async () => {
    const ended = await run(['--web.listen-address=192.0.2.1:0', '--log.level=error']);
    expectOneLine(ended, 'listening on 192.0.2.1:0: address not available (EADDRNOTAVAIL)');
  });
});

describe.each(BOTH.map((args) => [args[0], args] as const))('with %s, --path.procfs on', (_, args) => {
  const runOn = (directory: string, how: How = {}) =>
    run([...args, '--sample.source=procfs', `--path.procfs=${directory}`], how);

  it('an empty directory is one line', async () => {
    const directory = newDirectory();
    expectOneLine(
      await runOn(directory),
      `readlink() of ${directory}/self/ns/net: no such file or directory (ENOENT), expected a mounted proc filesystem`,
    );
  });

  it('no directory is one line', async () => {
    expectOneLine(await runOn('/nonexistent/proc'), /^readlink\(\) of \/nonexistent\/proc\/self\/ns\/net: /);
  });

  itNeeding(missingNobody, 'an unreadable directory is one line', async () => {
    const directory = newProcfs();
    chmodSync(directory, 0o700);
    expectOneLine(
      await runOn(directory, { uid: NOBODY }),
      new RegExp(`^readlink\\(\\) of ${directory}/\\S+/ns/net: `),
    );
  });

  itNeeding(missingNobody, 'an unreadable table is one line', async () => {
    const directory = newProcfs();
    chmodSync(directory, 0o755);
    chmodSync(join(directory, 'net/tcp'), 0o600);
    expectOneLine(
      await runOn(directory, { uid: NOBODY }),
      `open() of ${directory}/net/tcp: permission denied (EACCES)`,
    );
  });

  it('one without tables is one line', async () => {
    const directory = newProcfs();
    rmSync(join(directory, 'net/tcp'));
    expectOneLine(
      await runOn(directory),
      `open() of ${directory}/net/tcp: no such file or directory (ENOENT)`,
    );
  });

  it('one without a range is one line', async () => {
    const directory = newProcfs();
    rmSync(join(directory, 'sys'), { recursive: true });
    expectOneLine(
      await runOn(directory),
      /^open\(\) of \S+\/ip_local_port_range: no such file or directory \(ENOENT\)$/,
    );
  });

  it('one with a senseless range is one line', async () => {
    const directory = newProcfs();
    writeFileSync(join(directory, 'sys/net/ipv4/ip_local_port_range'), '60999 32768\n');
    expectOneLine(
      await runOn(directory),
      /^\S+\/ip_local_port_range: expected two ports .*, got "60999 32768"$/,
    );
  });
});

describe('--once on a /proc whose table', () => {
  const FIRST_HALF = Math.floor(fixtureText('net/tcp').length / 2) - 10;
  it.each<[string, (table: string) => void, RegExp]>([
    [
      'is empty',
      (table) => truncateSync(table),
      /^collector tcp: \S+\/net\/tcp is empty: expected the header line$/,
    ],
    [
      'is cut off',
      (table) => truncateSync(table, FIRST_HALF),
      /^collector tcp: \S+\/net\/tcp line \d+: expected .*$/,
    ],
    [
      'is something else',
      (table) => writeFileSync(table, '\0\u00ff%n\n'.repeat(99)),
      /^collector tcp: \S+\/net\/tcp line 1: expected .*$/,
    ],
    [
      'is a directory',
      (table) => {
        rmSync(table);
        mkdirSync(table);
      },
      /\/net\/tcp: illegal operation on a directory \(EISDIR\)$/,
    ],
  ])('%s is one line, and no half sample', async (_, damage, line) => {
    const directory = newProcfs();
    damage(join(directory, 'net/tcp'));
    expectOneLine(await run(['--once', '--sample.source=procfs', `--path.procfs=${directory}`]), line);
  });

  it('of IPv6 is not there has no IPv6 sockets, and that is no failure', async () => {
    const directory = newProcfs();
    for (const name of ['tcp6', 'udp6']) rmSync(join(directory, 'net', name));
    const ended = await run(['--once', '--sample.source=procfs', `--path.procfs=${directory}`]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const sockets = parseExposition(ended.stdout).filter(({ name }) => name === 'port_sockets');
    const countOf = (family: string) =>
      sockets.filter(({ labels }) => labels['family'] === family).reduce((sum, { value }) => sum + value, 0);
    const lines = (name: string) => fixtureText(name).trimEnd().split('\n').length - 1;
    expect(countOf('ipv4')).toBe(lines('net/tcp') + lines('net/udp'));
    expect(countOf('ipv6')).toBe(0);
    expect(sockets.some(({ labels }) => labels['family'] === 'ipv6')).toBe(true);
  });
});

describe('stdout', () => {
  itNeeding(missingTool('bash'), 'that is full or closed is one line', async () => {
    for (const [script, reason] of [
      [
        '"$@" > /dev/full; echo "ended with $?" >&2',
        /^port-exporter: writing to stdout: .*ENOSPC.*\nended with 1\n$/,
      ],
      [
        '{ sleep 0.2; "$@"; echo "ended with $?" >&2; } | true',
        /^port-exporter: writing to stdout: .*EPIPE.*\nended with 1\n$/,
      ],
    ] as const) {
      const { stderr } = await run(['--once'], { launcher: ['bash', '-c', script, '--'] });
      expect(stderr).toMatch(reason);
    }
  });
});

describe('a defect', () => {
  /** Writing to stdout fails in a way that nobody expects. */
  const nodeFlags = [
    ...['--import', 'data:text/javascript,process.stdout.write=()=>{throw new TypeError("a%5Cndefect")}'],
  ];
  const COMMANDS = [['--version'], ['--once'], ['--help']];

  it.each(COMMANDS)('is one line that says how to see where: %s', async (...args) => {
    expectOneLine(
      await run(args, { nodeFlags }),
      'internal error: a defect; set PORT_EXPORTER_LOG_LEVEL=debug for the stack trace and report it',
    );
  });

  it.each(COMMANDS)('shows where to whoever did that: %s', async (...args) => {
    const env = { PORT_EXPORTER_LOG_LEVEL: 'debug' };
    const { code, stdout, stderr } = await run(args, { nodeFlags, env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^TypeError: a\ndefect\n {4}at [\s\S]*\nport-exporter: internal error: a defect; report it with the stack trace above\n$/m,
    );
  });
});
