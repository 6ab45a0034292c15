import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { describeLive } from '../live/support/privilege.ts';
import { NameServer, withResolver } from './support/nameServer.ts';
import { itNeeding, missingCommand } from './support/needs.ts';
import { type How, run } from './support/program.ts';

/** `nc -zv -w 1`, as the program would be run → what it said, line by line without its own name, and its exit code. */
async function nc(args: readonly string[], { launcher = [] }: How = {}) {
  const [program = '', ...rest] = [...launcher, 'nc', '-zv', '-w', '1', ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { code, lines: linesOf(said).map((line) => line.replace(/^nc: /, '')) };
}

/** Both at once. What follows `timed out:` is the errno of another call in nc. */
async function expectAsNc(args: readonly string[], how: How = {}): Promise<string[]> {
  const [host = '', port = '', source] = args;
  const [told, ours] = await Promise.all([
    nc([...(source === undefined ? [] : ['-s', source]), host, port], how),
    run(['probe', host, port, '--timeout=1s', ...(source === undefined ? [] : [`--source=${source}`])], how),
  ]);
  const untimed = (lines: string[]) => lines.map((line) => line.replace(/(?<=timed out:).*/, ''));
  const lines = linesOf(ours.stdout);
  expect(ours.stderr).toBe('');
  expect({ code: ours.code, lines: untimed(lines) }).toEqual({ ...told, lines: untimed(told.lines) });
  return lines;
}

function linesOf(said: string): string[] {
  return said.split('\n').filter((line) => line !== '');
}

const missingNc = missingCommand('nc');

describeLive('probe HOST PORT says what nc -zv says, and ends as it does', () => {
  itNeeding(missingNc, 'of an open port, IPv4 and IPv6, with its service', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    world.listen('::1', 443);
    expect(await expectAsNc(['127.0.0.1', '8001'])).toEqual([
      'Connection to 127.0.0.1 8001 port [tcp/*] succeeded!',
    ]);
    expect(await expectAsNc(['::1', '443'])).toEqual(['Connection to ::1 443 port [tcp/https] succeeded!']);
    await expectAsNc(['localhost', '8001'], withResolver());
    await expectAsNc(['::1', 'https']);
    await expectAsNc(['127.1', '08001']);
  });

  itNeeding(missingNc, 'of a port where nobody listens, IPv4 and IPv6', async () => {
    newWorld();
    expect(await expectAsNc(['127.0.0.1', '81'])).toEqual([
      'connect to 127.0.0.1 port 81 (tcp) failed: Connection refused',
    ]);
    await expectAsNc(['::1', '81']);
    await expectAsNc(['localhost', '81'], withResolver());
  });

  itNeeding(missingNc, 'of one that does not answer', async () => {
    const world = newWorld();
    for (const address of ['127.0.0.1', '::1']) {
      world.listen(address, 8001, { backlog: 0 });
      world.knock(address, 8001);
      world.knock(address, 8001);
      expect(await expectAsNc([address, '8001'])).toEqual([
        expect.stringMatching(/^connect to \S+ port 8001 \(tcp\) timed out: no answer in \d\.\d s$/),
      ]);
    }
  });

  itNeeding(missingNc, 'without a route', async () => {
    newWorld();
    await expectAsNc(['192.0.2.1', '80']);
    await expectAsNc(['2001:db8::1', '80']);
  });

  itNeeding(missingNc, 'of an unknown name, and where the name server cannot say', async () => {
    newWorld();
    await NameServer.started(() => []);
    expect(await expectAsNc(['nosuch.example', '80'], withResolver())).toEqual([
      'getaddrinfo for host "nosuch.example" port 80: Name or service not known',
    ]);
    newWorld();
    expect(await expectAsNc(['nosuch.example', '80'], withResolver())).toEqual([
      'getaddrinfo for host "nosuch.example" port 80: Temporary failure in name resolution',
    ]);
  });

  itNeeding(missingNc, 'of a name with several addresses, each in its turn', async () => {
    const world = newWorld();
    world.listen('127.0.0.3', 8001);
    world.listen('127.0.0.2', 8002, { backlog: 0 });
    times(2, () => world.knock('127.0.0.2', 8002));
    world.listen('127.0.0.3', 8002);
    const how = withResolver('127.0.0.2 both\n127.0.0.3 both\n');
    const refusedThenOpen = await expectAsNc(['both', '8001'], how);
    expect(refusedThenOpen.map((line) => line.split(' ')[0])).toEqual(['connect', 'Connection']);
    const silentThenOpen = await expectAsNc(['both', '8002'], how);
    expect(silentThenOpen[0]).toContain('timed out');
    expect(await expectAsNc(['both', '8003'], how)).toHaveLength(2);
  });

  itNeeding(missingNc, 'from a source address', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    await expectAsNc(['127.0.0.1', '8001', '127.0.0.9']);
  });

  it('but says of a source address that this machine does not have which one it is', async () => {
    newWorld();
    expect(await run(['probe', '127.0.0.1', '8001', '--source=192.0.2.9'])).toMatchObject({
      ...{ code: 1, stderr: '' },
      stdout:
        'connect to 127.0.0.1 port 8001 (tcp) failed: Cannot assign requested address: ' +
        'this host has no address 192.0.2.9\n',
    });
  });

  itNeeding(missingNc, 'where no local port is left, and what to ask next', async () => {
    const world = newWorld();
    const held: number[] = [];
    times(100, () => held.push(world.connect('127.0.0.1')));
    const { code, lines } = await nc(['127.0.0.1', '8001']);
    const ours = await run(['probe', '127.0.0.1', '8001']);
    expect({ code: ours.code, lines: linesOf(ours.stdout) }).toEqual({
      code,
      lines: [...lines, 'no local port is left for it; see: port-exporter explain 127.0.0.1:8001'],
    });
    // The far end is up.
    expect(await run(['probe', '127.0.0.1', '8001', '--source=127.0.0.9'])).toMatchObject({ code: 0 });
    world.abort(held.pop() ?? -1);
    expect(await run(['probe', '127.0.0.1', '8001'])).toMatchObject({ code: 0 });
  });

  it('and as JSON', async () => {
    const world = newWorld();
    world.listen('127.0.0.3', 80);
    const { code, stdout } = await run(
      ['probe', 'both', '80', '--json'],
      withResolver('127.0.0.2 both\n127.0.0.3 both\n'),
    );
    const seconds = expect.any(Number);
    expect({ code, data: JSON.parse(stdout) }).toEqual({
      code: 0,
      data: {
        ...{ host: 'both', port: 80, service: 'http', success: true },
        ...{ resolveSeconds: seconds, connectSeconds: seconds },
        attempts: [
          { address: '127.0.0.2', seconds, success: false, reason: 'refused', error: 'ECONNREFUSED' },
          { address: '127.0.0.3', seconds, success: true },
        ],
      },
    });
  });

  it('does not wait for a name server that never answers', async () => {
    newWorld();
    const server = await NameServer.started(() => undefined);
    const startedAt = performance.now();
    expect(await run(['probe', 'db.example', '80', '--timeout=300ms'], withResolver())).toMatchObject({
      ...{ code: 1, stdout: 'getaddrinfo for host "db.example" port 80: no answer within 300ms\n' },
    });
    expect(server.asked).toContain('db.example');
    // The resolver itself takes 10 s.
    expect(performance.now() - startedAt).toBeLessThan(9_000);
  });
});
