import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { get, keepingAgent } from './support/http.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, livingIn } from './support/program.ts';

const LISTEN = '--web.listen-address=127.0.0.1:0';

describe('SIGHUP', () => {
  it('reloads the web configuration and the probe file, says so, and goes on', async () => {
    const directory = newDirectory();
    const [web, probes] = [join(directory, 'web.yml'), join(directory, 'probes.yml')];
    writeFileSync(web, 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n');
    writeFileSync(probes, '[]\n');
    const daemon = await Daemon.started([`--web.config.file=${web}`, `--probe.file=${probes}`]);
    const hangUp = async (line: RegExp): Promise<void> => {
      const before = daemon.lines.length;
      daemon.child.kill('SIGHUP');
      await vi.waitFor(() => expect(daemon.lines.slice(before).join('\n')).toMatch(line), 5000 * SLOWNESS);
    };
    await hangUp(/level=info msg=reloaded web_config=unchanged probe_file=unchanged$/m);
    writeFileSync(web, 'http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n');
    await hangUp(/msg=reloaded web_config=(changed|unchanged) probe_file=unchanged$/m);
    expect((await daemon.get('/metrics')).headers['x-frame-options']).toBe('sameorigin');
    writeFileSync(web, 'nonsense: true\n');
    await hangUp(/msg=reloaded web_config=refused probe_file=unchanged$/m);
    await hangUp(/msg=reloaded web_config=refused probe_file=unchanged$/m);
    expect(daemon.lines.filter((line) => line.includes('keeping the previous one'))).toHaveLength(1);
    expect((await daemon.get('/metrics')).headers['x-frame-options']).toBe('sameorigin');
    expect(await daemon.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
  });

  it('goes on where there is nothing to reload, and before the first sample', async () => {
    const daemon = new Daemon([LISTEN]);
    await daemon.logged(/msg="starting port-exporter"/);
    daemon.child.kill('SIGHUP');
    await daemon.logged(/msg=reloaded web_config=none probe_file=none$/);
    expect((await daemon.get('/-/healthy')).status).toBe(200);
    expect(await daemon.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
  });
});

describe('SIGUSR1', () => {
  it('opens no inspector, in which anybody could run code with its capabilities', async () => {
    const daemon = await Daemon.started([]);
    const listens = () => listenersOf(Number(daemon.child.pid));
    const before = listens();
    expect(before).toHaveLength(1);
    daemon.child.kill('SIGUSR1');
    // Node.js opens it within milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 500 * SLOWNESS));
    expect((await daemon.get('/-/healthy')).status).toBe(200);
    expect(listens()).toEqual(before);
    expect(daemon.lines.join('\n')).not.toContain('Debugger');
    expect(await daemon.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
  });

  /** Ports that the process listens on. */
  function listenersOf(pid: number): number[] {
    const held = new Set(
      readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return '';
        }
      }),
    );
    return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && held.has(`socket:[${inode}]`))
      .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16));
  }
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s ends it within a second, with exit code 0,', (signal) => {
  async function expectEnd(daemon: Daemon): Promise<void> {
    const { tookMs, ...ended } = await daemon.end(signal);
    expect(ended).toEqual({ code: 0, signal: null });
    expect(tookMs).toBeLessThan(1000 * SLOWNESS);
    expect(daemon.lines.at(-1)).toMatch(new RegExp(`level=info msg=stopping signal=${signal}$`));
    expect(daemon.lines.join('\n')).not.toMatch(/^ {4}at |level=(warn|error)/m);
    // Nothing is left of its process group, and its port is free.
    expect(() => process.kill(-Number(daemon.child.pid), 0)).toThrow('ESRCH');
  }

  it('while it samples and serves', async () => {
    const daemon = await Daemon.started(['--sample.interval=1ms', '--sample.max-duty=1']);
    const { port } = daemon;
    await daemon.get('/metrics');
    await expectEnd(daemon);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
  });

  it('with connections that are kept open, and one with half a request', async () => {
    const daemon = await Daemon.started([]);
    const agent = keepingAgent();
    const half = connect(daemon.port, '127.0.0.1');
    half.on('error', () => {});
    try {
      await once(half, 'connect');
      await Promise.all([1, 2, 3].map(() => get(daemon.port, '/metrics', {}, agent)));
      half.write('GET /metrics HTTP/1.1\r\nHost: ');
      await get(daemon.port, '/-/healthy', {}, agent);
      await expectEnd(daemon);
    } finally {
      agent.destroy();
      half.destroy();
    }
  });

  it('before it listens, and before its first sample', async () => {
    for (const line of [/msg="starting port-exporter"/, /msg=listening/]) {
      const daemon = new Daemon([LISTEN]);
      await daemon.logged(line);
      await expectEnd(daemon);
    }
  });
});

describe('npm start', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('leaves no process behind once npm got %s', async (signal) => {
    const npm = spawn('npm', ['start', '--ignore-scripts', '--', LISTEN, '--namespaces=self'], {
      ...{ stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    });
    onTestFinished(() => {
      if (livingIn(npm.pid).length > 0) process.kill(-Number(npm.pid), 'SIGKILL');
    });
    let said = '';
    npm.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await vi.waitFor(() => expect(said).toMatch(/msg="first sample"|msg=listening/), 20_000 * SLOWNESS);
    npm.kill(signal);
    await vi.waitFor(() => expect(livingIn(npm.pid)).toEqual([]), 5000 * SLOWNESS);
    expect(said).toContain(`msg=stopping signal=${signal}`);
  });
});
