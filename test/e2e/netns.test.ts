import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { endHolder, newHolder } from '../live/support/holder.ts';
import { NAME_PREFIX, NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import { SERVER_PORT, untilRefused } from '../live/support/world.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { type How, run } from './support/program.ts';
import { refusingSetns } from './support/refusingSetns.ts';

/** What a program reads from `--json`. */
async function ask(args: readonly string[], how: How = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run([...args, '--json'], how);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** The one line it ends with. */
async function refusal(args: readonly string[], how: How = {}): Promise<string> {
  const { code, stdout, stderr } = await run(args, how);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^port-exporter: [^\n]*\n$/);
  return stderr;
}

/** So many connections to a destination of 100 ports. */
function connected(count: number, to = '127.0.0.2'): NamedNamespace {
  const namespace = new NamedNamespace({ range: [40_000, 40_099] });
  namespace.inside((world) => {
    for (let done = 0; done < count; done++) world.connect(to);
  });
  return namespace;
}

const left = (namespace: NamedNamespace, to = '127.0.0.2') =>
  namespace.inside((world) => untilRefused(() => world.connect(to)));

/** Where there are no processes and namespaces but this test's: others may be as full as these. */
const WITHOUT_OTHERS: How = {
  launcher: [
    ...['unshare', '--mount', '--pid', '--fork', '--mount-proc', 'sh', '-c'],
    `for name in /run/netns/*; do
       case $name in */${NAME_PREFIX}*) ;; *) umount "$name" 2>/dev/null ;; esac
     done
     exec "$@"`,
    'sh',
  ],
};

/** As root, but without it. */
const WITHOUT_ADMIN: How = {
  launcher: ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--'],
};

describeLive('--netns', () => {
  it('asks in the namespace of that name, of a process in it, and of that inode', async () => {
    const namespace = connected(60);
    const { name, path, inode } = namespace;
    const holder = await newHolder(['nsenter', `--net=${path}`, 'sleep', '1000']);
    for (const wanted of [name, String(holder.pid), `net:[${inode}]`]) {
      const explained = await ask(['explain', `--netns=${wanted}`]);
      expect(explained).toMatchObject({
        netns: name,
        destination: { remoteAddress: '127.0.0.2', available: 40, used: { established: 60 } },
        processes: [{ pid: process.pid, sockets: 60 }],
      });
      expect(await ask(['destinations', '--netns', wanted])).toMatchObject({
        ...{ netns: name, destinations: [{ remoteAddress: '127.0.0.2', available: 40 }] },
      });
      expect(await ask(['listeners', '--netns', wanted])).toMatchObject({
        ...{ netns: name, listeners: [{ address: '127.0.0.2', port: SERVER_PORT }] },
      });
    }
    await endHolder(holder);
    expect(left(namespace)).toEqual({ succeeded: 40, error: 'EADDRNOTAVAIL' });
  });

  it('has commands to paste that enter it', async () => {
    const namespace = connected(60);
    const { remedies } = (await ask(['explain', `--netns=${namespace.name}`])) as {
      remedies: { remedy: string; freesPorts: number; command?: string }[];
    };
    const { command = '', freesPorts } = remedies.find(({ remedy }) => remedy === 'widerRange') ?? {};
    execFileSync('sh', ['-c', command]);
    expect(namespace.inside((world) => world.readSysctl('net.ipv4.ip_local_port_range'))).toBe('1024\t65535');
    const { destination } = (await ask(['explain', `--netns=${namespace.name}`])) as {
      destination: { available: number };
    };
    expect(destination.available).toBe(40 + (freesPorts ?? 0));
  });

  it('all is a table of every namespace, each by its name', async () => {
    const [one, two] = [connected(60), connected(30, '127.0.0.3')];
    const { destinations } = (await ask(['destinations', '--netns=all'])) as { destinations: unknown[] };
    expect(destinations).toContainEqual(
      expect.objectContaining({ netns: one.name, remoteAddress: '127.0.0.2', available: 40 }),
    );
    expect(destinations).toContainEqual(
      expect.objectContaining({ netns: two.name, remoteAddress: '127.0.0.3', available: 70 }),
    );
    const { stdout } = await run(['listeners', String(SERVER_PORT), '--netns=all']);
    expect(stdout).toMatch(/^NETNS +PROTO /);
    for (const { name } of [one, two])
      expect(stdout).toMatch(new RegExp(`^${name} +tcp +127\\.0\\.0\\.`, 'm'));
    expect((await run(['destinations', '--netns=all', '--limit=1'])).stdout.split('\n')).toHaveLength(4);
  });

  it('all explains the worst of all, and a destination where it is fullest', async () => {
    const [half, full, alone] = [connected(50), connected(100), connected(20, '127.0.0.4')];
    expect(await ask(['explain', '--netns=all'], WITHOUT_OTHERS)).toMatchObject({
      ...{ netns: full.name, destination: { remoteAddress: '127.0.0.2', available: 0 } },
    });
    expect(await ask(['explain', `127.0.0.4:${SERVER_PORT}`, '--netns=all'], WITHOUT_OTHERS)).toMatchObject({
      ...{ netns: alone.name, destination: { available: 80 }, elsewhere: [] },
    });
    expect(await ask(['explain', `127.0.0.2:${SERVER_PORT}`, '--netns=all'], WITHOUT_OTHERS)).toMatchObject({
      ...{ netns: full.name, elsewhere: [{ netns: half.name, available: 50 }] },
    });
  });

  it('is in the command that explains a destination nobody here is connected to', async () => {
    const namespace = connected(100);
    const [half, destination] = [connected(50), `127.0.0.2:${SERVER_PORT}`];
    const { stdout } = await run(['explain', destination], WITHOUT_OTHERS);
    expect(stdout).toContain(`${destination}: no connections in `);
    const commands = stdout.split('\n').filter((line) => line.startsWith('port-exporter explain '));
    expect(commands).toEqual(
      [namespace, half].map(({ name }) => `port-exporter explain ${destination} --netns=${name}`),
    );
    const [, ...pasted] = (commands[0] ?? '').split(' ');
    expect((await run(pasted)).stdout).toMatch(
      new RegExp(`^127\\.0\\.0\\.1 → ${destination}, in ${namespace.name}\n0 of 100 ports left`),
    );
    expect(left(namespace)).toEqual({ succeeded: 0, error: 'EADDRNOTAVAIL' });
  });

  it('is one line where there is no such namespace, with those there are', async () => {
    const { name } = new NamedNamespace();
    for (const wanted of ['nosuch', '4194305', 'net:[1]']) {
      const line = await refusal(['explain', `--netns=${wanted}`], WITHOUT_OTHERS);
      expect(line).toContain(`--netns: no network namespace or process "${wanted}"; found `);
      expect(line).toMatch(new RegExp(`found [^\\n]*\\b${name}\\b`));
    }
  });

  it('is one line without the privilege', async () => {
    const { name } = connected(1);
    for (const command of [['explain'], ['listeners'], ['destinations'], ['scan'], ['probe', '::1', '80']]) {
      const line = await refusal([...command, `--netns=${name}`], WITHOUT_ADMIN);
      expect(line).toContain(
        `--netns: entering ${name}: needs CAP_SYS_ADMIN: setns(): operation not permitted (EPERM)`,
      );
    }
    const line = await refusal(['destinations', '--netns=all'], WITHOUT_ADMIN);
    expect(line).toContain(
      'entering other network namespaces: needs CAP_SYS_ADMIN: setns(): operation not permitted (EPERM)',
    );
    const { code, stdout } = await run(['explain', `127.0.0.2:${SERVER_PORT}`], WITHOUT_ADMIN);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'It may have connections in another network namespace: entering other network namespaces',
    );
  });

  itNeeding(missingTool('gcc'), 'asks for no privilege that is held and does not help', async () => {
    const { name } = connected(1);
    const how = { launcher: refusingSetns() };
    const why =
      'denied although CAP_SYS_ADMIN is held (a security module, or another user namespace): setns(): operation not permitted (EPERM)';
    for (const command of [['explain'], ['probe', '::1', '80']]) {
      const line = await refusal([...command, `--netns=${name}`], how);
      expect(line).toContain(`--netns: entering ${name}: ${why}`);
    }
    const line = await refusal(['destinations', '--netns=all'], how);
    expect(line).toContain(`entering other network namespaces: ${why}`);
  });

  itNeeding(missingNobody, 'needs no privilege for the namespace one is in', async () => {
    const { netns } = await ask(['destinations'], { uid: NOBODY });
    const how = { uid: NOBODY };
    expect(await ask(['destinations', `--netns=${netns}`], how)).toMatchObject({ netns });
  });
});

describeLive('from another namespace', () => {
  it('probe connects, to addresses and to names', async () => {
    const { name } = connected(1);
    for (const host of ['127.0.0.2', 'localhost']) {
      const namespace = new NamedNamespace();
      namespace.inside((world) => world.listen(host === 'localhost' ? '127.0.0.1' : host, 8003));
      expect(await run(['probe', host, '8003', `--netns=${namespace.name}`])).toMatchObject({
        ...{ code: 0, stderr: '', stdout: expect.stringContaining('8003 port [tcp/*] succeeded!') },
      });
      expect(await run(['probe', host, '8003', `--netns=${name}`])).toMatchObject({ code: 1, stderr: '' });
    }
  });

  it('probe says which namespace has no port left', async () => {
    const { name } = connected(100);
    const { code, stdout } = await run(['probe', '127.0.0.2', String(SERVER_PORT), `--netns=${name}`]);
    expect(code).toBe(1);
    expect(stdout).toContain(`see: port-exporter explain 127.0.0.2:${SERVER_PORT} --netns=${name}\n`);
  });

  itNeeding(missingTool('ss'), 'names are asked of its own resolver, from inside', async () => {
    const namespace = new NamedNamespace();
    const { name } = namespace;
    const files = `/etc/netns/${name}`;
    mkdirSync(files, { recursive: true });
    onTestFinished(() => rmSync(files, { recursive: true }));
    writeFileSync(`${files}/resolv.conf`, 'nameserver 127.0.0.9\noptions timeout:1 attempts:1\n');
    writeFileSync(`${files}/hosts`, '127.0.0.7 only-there.test\n');
    namespace.inside((world) => {
      world.bound('127.0.0.9', 53, { type: 'udp' });
      world.listen('127.0.0.7', 8003);
    });
    const unread = () => execFileSync('ip', ['netns', 'exec', name, 'ss', '-Huln'], { encoding: 'utf8' });
    expect(unread()).toMatch(/^UNCONN 0 +0 +127\.0\.0\.9:53 /);
    const told = await run(['probe', 'only-there.test', '8003', `--netns=${name}`]);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    const unknown = await run(['probe', 'nosuch.example', '80', '--timeout=3s', `--netns=${name}`]);
    expect(unknown).toMatchObject({ code: 1, stderr: '' });
    expect(unread()).toMatch(/^UNCONN [1-9]\d* +0 +127\.0\.0\.9:53 /);
  });

  it('scan connects, and compares with who listens there', async () => {
    const namespace = new NamedNamespace();
    namespace.inside((world) => world.listen('127.0.0.1', 8003));
    const args = ['scan', '--ports=8000-8005', `--netns=${namespace.name}`];
    expect(await ask(args)).toMatchObject({ isThisHost: true, counts: { open: 1, closed: 5 } });
    expect((await run(args)).stdout).toMatch(/^8003 +open +\S+ +127\.0\.0\.1 /m);
  });
});
