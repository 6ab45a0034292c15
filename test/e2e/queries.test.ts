import { describe, expect, it } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { KERNEL_SHOWS_BOUND_ONLY } from '../live/support/kernel.ts';
import { describeLive } from '../live/support/privilege.ts';
import { SERVER_PORT, untilRefused, type World, type WorldSetup } from '../live/support/world.ts';
import { expectHarmless, terminal } from '../reports/reports.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { type Ended, type How, run } from './support/program.ts';

const SETUP: WorldSetup = { range: [40_000, 40_099], reserved: '40090-40099' };

/** A bit of everything: 90 usable ports, one of them a listener's. */
function populate(world: World): void {
  world.listen('127.0.0.1', 40_051);
  world.listen('::', 8002);
  world.bound('0.0.0.0', 53, { type: 'udp' });
  times(12, () => world.connect('127.0.0.2'));
  times(7, () => world.connect('127.0.0.3'));
}

/** What a program reads from `--json`. */
async function ask(args: readonly string[], how: How = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run([...args, '--json'], how);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describeLive('on the command line, in a network namespace of its own', () => {
  it('listeners tells who listens', async () => {
    populate(newWorld(SETUP));
    const { code, stdout, stderr } = await run(['listeners']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = stdout.split('\n').map((line) => line.split(/ +/));
    expect(rows[0]).toEqual('PROTO ADDRESS PORT SERVICE PROCESS USER OWNER QUEUE CONNS DROPS'.split(' '));
    expect(rows.slice(1).map(([protocol, address, port]) => `${protocol} ${address} ${port}`)).toEqual([
      'udp 0.0.0.0 53',
      `tcp 127.0.0.2 ${SERVER_PORT}`,
      `tcp 127.0.0.3 ${SERVER_PORT}`,
      'tcp :: 8002',
      'tcp 127.0.0.1 40051!',
      expect.stringMatching(/^! in the/),
      expect.any(String),
    ]);
    const { listeners } = await ask(['listeners', '40051']);
    expect(listeners).toEqual([
      expect.objectContaining({
        ...{ protocol: 'tcp', address: '127.0.0.1', port: 40_051, inEphemeralRange: true },
        ...{ acceptQueue: 0, acceptQueueLimit: 4096, connections: 0, dropped: 0 },
      }),
    ]);
  });

  it('listeners PORT ends with 1 where nobody listens on it', async () => {
    populate(newWorld(SETUP));
    expect(await run(['listeners', '8002'])).toMatchObject({ code: 0, stderr: '' });
    const nobody = { code: 1, stdout: 'No listeners on port 3306.\n', stderr: '' };
    expect(await run(['listeners', '3306'])).toMatchObject(nobody);
    const { code, stdout } = await run(['listeners', '3306', '--json']);
    expect([code, JSON.parse(stdout).listeners]).toEqual([1, []]);
  });

  it('destinations tells the fullest, and how much the kernel will give', async () => {
    const world = newWorld(SETUP);
    populate(world);
    const { total, destinations } = await ask(['destinations', '--limit=1']);
    expect(total).toBe(2);
    expect(destinations).toEqual([
      expect.objectContaining({
        ...{ localAddress: '127.0.0.1', remoteAddress: '127.0.0.2', remotePort: SERVER_PORT },
        ...{ used: { established: 12, timeWait: 0, other: 0 }, reclaimable: 0, available: 77 },
      }),
    ]);
    expect((await run(['destinations', '--limit=1'])).stdout).toContain('\n1 more destination; --limit');
    expect(untilRefused(() => world.connect('127.0.0.2')).succeeded).toBe(77);
  });

  it('explain tells of the worst destination, of a named one, and of one that nobody uses', async () => {
    populate(newWorld(SETUP));
    expect(await ask(['explain'])).toMatchObject({
      destination: { remoteAddress: '127.0.0.2', available: 77 },
    });
    const named = await ask(['explain', `127.0.0.3:${SERVER_PORT}`]);
    expect(named).toMatchObject({
      destination: { remoteAddress: '127.0.0.3', available: 82 },
      sourceAddresses: 1,
    });
    const unused = await ask(['explain', '[2001:db8::1]:443']);
    expect(unused).toMatchObject({
      destination: { remoteAddress: '2001:db8::1', available: 89 },
      owners: [],
    });
    const { code, stdout } = await run(['explain']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^127\.0\.0\.1 → 127\.0\.0\.2:8001\n77 of 90 ports left \(14\.4 % used\): /);
  });

  it('explain has an answer where no connections, and all is blocked', async () => {
    const world = newWorld({ range: [40_000, 40_003] });
    expect((await run(['explain'])).stdout).toMatch(/^Any destination: no connections\n4 of 4 ports left/);
    for (let port = 40_000; port <= 40_003; port++) world.listen('127.0.0.9', port);
    const { stdout } = await run(['explain']);
    expect(stdout).toContain(
      '0 of 4 ports left (100.0 % used): the next connect() fails with EADDRNOTAVAIL.',
    );
    expect(untilRefused(() => world.connect('127.0.0.2'))).toEqual({ succeeded: 0, error: 'EADDRNOTAVAIL' });
  });

  it('each answers from /proc/net as well, and says what is not known there', async () => {
    populate(newWorld(SETUP));
    const from = ['--sample.source=procfs'];
    const { stdout } = await run(['listeners', ...from]);
    expect(stdout).toMatch(/^tcp +:: +8002 .* 0\/\? /m);
    const { destinations } = await ask(['destinations', ...from]);
    expect(JSON.stringify(destinations)).not.toContain('"owner"');
    expect((await run(['explain', ...from])).stdout).toMatch(/^sockets that only called bind\(\) +unknown$/m);
  });

  itNeeding(missingNobody, 'each answers a user without any privilege', async () => {
    populate(newWorld(SETUP));
    for (const command of ['destinations', 'explain']) {
      expect(await run([command], { uid: NOBODY })).toMatchObject({ code: 0, stderr: '' });
    }
    const { code, stdout, stderr } = await run(['listeners'], { uid: NOBODY });
    expect(code).toBe(0);
    expect(stdout).toContain('40051!');
    expect(stderr.split('\n').filter((line) => line !== '')).toEqual([
      expect.stringMatching(/level=warn .*CAP_SYS_PTRACE/),
    ]);
  });
});

describeLive('a remedy frees what it says', () => {
  /** Brings the same world about again, applies the remedy, and calls connect() until it is refused. */
  async function expectFreed(
    remedy: string,
    setup: WorldSetup,
    prepare: (world: World) => unknown,
    apply: (world: World) => unknown,
  ): Promise<void> {
    const world = newWorld(setup);
    prepare(world);
    const { destination, remedies } = (await ask(['explain', `127.0.0.2:${SERVER_PORT}`])) as {
      destination: { available: number };
      remedies: { remedy: string; freesPorts: number }[];
    };
    const promised = remedies.find((one) => one.remedy === remedy)?.freesPorts ?? 0;
    expect(promised).toBeGreaterThan(0);
    apply(world);
    const { succeeded } = untilRefused(() => world.connect('127.0.0.2'));
    expect(succeeded).toBe(destination.available + promised);
  }

  const busy = (world: World) => times(20, () => world.connect('127.0.0.2'));

  it('tcpTwReuse', async () => {
    await expectFreed(
      'tcpTwReuse',
      { range: [40_000, 40_099], twReuse: 0 },
      (world) => {
        world.timeWait(30, '127.0.0.2');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
      },
      (world) => world.sysctl('net.ipv4.tcp_tw_reuse', '1'),
    );
  });

  it('fewerReservedPorts', () =>
    expectFreed('fewerReservedPorts', SETUP, busy, (world) =>
      world.sysctl('net.ipv4.ip_local_reserved_ports', ''),
    ));

  it('moreDestinations', async () => {
    const world = newWorld(SETUP);
    populate(world);
    const { remedies } = await ask(['explain']);
    const { succeeded } = untilRefused(() => world.connect('127.0.0.4'));
    expect(remedies).toContainEqual(
      expect.objectContaining({ remedy: 'moreDestinations', freesPorts: succeeded }),
    );
  });

  it('moreSourceAddresses', async () => {
    const world = newWorld(SETUP);
    populate(world);
    const { remedies } = await ask(['explain']);
    const client = { from: '127.0.0.7', noPort: true };
    const { succeeded } = untilRefused(() => world.connect('127.0.0.2', SERVER_PORT, client));
    expect(remedies).toContainEqual(
      expect.objectContaining({ remedy: 'moreSourceAddresses', freesPorts: succeeded }),
    );
  });

  it('moveListeners', () => {
    const listening: number[] = [];
    return expectFreed(
      'moveListeners',
      SETUP,
      (world) => {
        busy(world);
        for (const port of [40_061, 40_063, 40_065]) listening.push(world.listen('127.0.0.9', port));
      },
      (world) => {
        for (const fd of listening) world.end(fd);
      },
    );
  });

  it.skipIf(!KERNEL_SHOWS_BOUND_ONLY)('closeBoundSockets', () => {
    const bound: number[] = [];
    return expectFreed(
      'closeBoundSockets',
      SETUP,
      (world) => {
        busy(world);
        times(6, () => bound.push(world.bound('127.0.0.9')));
      },
      (world) => {
        for (const fd of bound) world.end(fd);
      },
    );
  });

  it('bindAddressNoPort', async () => {
    const elsewhere = (world: World, noPort: boolean) =>
      times(15, () => world.connect('127.0.0.5', SERVER_PORT, { from: '127.0.0.9', noPort }));
    const before = newWorld(SETUP);
    elsewhere(before, false);
    const { destination, remedies } = (await ask(['explain', `127.0.0.2:${SERVER_PORT}`])) as {
      destination: { available: number };
      remedies: unknown[];
    };
    expect(remedies).toContainEqual(expect.objectContaining({ remedy: 'bindAddressNoPort', freesPorts: 15 }));
    const after = newWorld(SETUP);
    elsewhere(after, true);
    const { succeeded } = untilRefused(() => after.connect('127.0.0.2'));
    expect(succeeded).toBe(destination.available + 15);
  });
});

describe('a question that cannot be answered is one line', () => {
  it.each([
    [
      ['listeners', 'nosuch'],
      'invalid filter "nosuch": expected PORT or state, sport, src, owner, process, user with a value',
    ],
    [['explain', 'localhost:80'], 'invalid value "localhost:80": expected ADDRESS:PORT or [IPV6]:PORT'],
    [['listners'], 'unknown command listners, did you mean listeners?'],
    [['explain', '192.0.2.1:80', '81'], 'unexpected argument 81; see --help'],
    [['explain', '--deep'], 'unknown flag --deep; see --help'],
    [['destinations', '--limit=all'], '--limit: invalid value "all": expected an integer from 0 to 100000'],
    [['explain', '\u009b31m'], 'invalid value "\\u009b31m": expected ADDRESS:PORT or [IPV6]:PORT'],
  ])('%j', async (args, line) => {
    expect(await run(args)).toMatchObject({ code: 1, stdout: '', stderr: `port-exporter: ${line}\n` });
  });

  it('of a /proc that is none', async () => {
    const { code, stdout, stderr } = await run(['listeners', '--path.procfs=/nowhere']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^port-exporter: [^\n]*\/nowhere[^\n]*\n$/);
  });
});

describe('an answer', () => {
  const bash = (script: string): How => ({ launcher: ['bash', '-c', script, '--'] });

  itNeeding(missingTool('bash'), 'to a reader that has seen enough is no failure', async () => {
    const { stdout, stderr } = await run(['listeners'], bash('"$@" | head -1'));
    expect([stdout.split('\n').length, stderr]).toEqual([2, '']);
    // 141 is what any program ends with that SIGPIPE ends.
    const gone = bash('{ sleep 0.2; "$@"; echo "ended with $?" >&2; } | true');
    expect((await run(['explain'], gone)).stderr).toBe('ended with 141\n');
  });

  itNeeding(missingTool('bash'), 'to a full disk is one line', async () => {
    const { stderr } = await run(['listeners'], bash('"$@" > /dev/full; echo "ended with $?" >&2'));
    expect(stderr).toMatch(/^port-exporter: writing to stdout: .*ENOSPC.*\nended with 1\n$/);
  });

  /** On a terminal of so many columns. */
  async function onTerminal(
    args: readonly string[],
    columns: number,
    env: Record<string, string> = {},
  ): Promise<Ended> {
    // script(1) runs a shell command on a terminal of its own, and copies what it prints.
    const launcher = [
      'bash',
      '-c',
      `script -qec "stty cols ${columns}; $(printf '%q ' "$@")" /dev/null`,
      '--',
    ];
    const ended = await run(args, { launcher, env: { TERM: 'xterm', ...env } });
    return { ...ended, stdout: ended.stdout.replaceAll('\r\n', '\n') };
  }

  const missingTerminal = missingTool('bash') ?? missingTool('script');

  describe.each([60, 80, 120])('on a terminal of %i columns', (columns) => {
    itNeeding(missingTerminal, 'fits it, in colour', async () => {
      const { stdout } = await onTerminal(['explain'], columns);
      expectHarmless(stdout, terminal(columns, true));
      expect(stdout).toContain('\u001b[1mSETTING\u001b[22m');
    });

    itNeeding(missingTerminal, 'has no colour with NO_COLOR', async () => {
      for (const command of ['listeners', 'destinations', 'explain']) {
        const { stdout } = await onTerminal([command], columns, { NO_COLOR: '1' });
        expectHarmless(stdout, terminal(columns, false));
        expect(stdout.length).toBeGreaterThan(10);
      }
    });
  });

  it('in a pipe has no colour and no end of its lines', async () => {
    const { stdout } = await run(['explain'], { env: { TERM: 'xterm', COLUMNS: '20', FORCE_COLOR: '1' } });
    expectHarmless(stdout, { columns: undefined, hasColor: false });
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeGreaterThan(70);
  });
});
