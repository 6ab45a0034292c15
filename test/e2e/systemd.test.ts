import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { enterNamespace } from '../live/support/posix.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { get, keepingAgent } from './support/http.ts';
import { FIXTURE } from './support/procfs.ts';
import { missingSystemd, SystemdMachine } from './support/systemdMachine.ts';

const UNIT = 'port-exporter.service';
const PORT = 10_069;
/** Seconds: several times what a busy machine keeps a process waiting. */
const WATCHDOG_S = 4 * SLOWNESS;
const PATIENCE = { timeout: 20_000 * SLOWNESS, interval: 50 };
const DEPLOY = new URL('../../deploy/systemd/', import.meta.url);
const deployed = (name: string) => readFileSync(new URL(name, DEPLOY), 'utf8');

const missing = missingSystemd();
const isSkipped = missing !== undefined && process.env['CI'] !== 'true';

describe.skipIf(isSkipped)(`under systemd as PID 1${isSkipped ? ` (skipped: ${missing})` : ''}`, () => {
  let machine: SystemdMachine;
  let leave = () => {};

  beforeAll(async () => {
    machine = await SystemdMachine.boot();
    // Requests of this thread arrive in the machine's network.
    leave = enterNamespace(machine.netns);
  }, 60_000 * SLOWNESS);
  afterAll(async () => {
    leave();
    await machine?.shutDown();
  }, 60_000 * SLOWNESS);
  beforeEach(async () => {
    await machine.run('systemctl', 'stop', 'port-exporter.socket', UNIT);
    await machine.run('systemctl', 'reset-failed');
    rmSync(machine.path(`/run/systemd/system/${UNIT}.d`), { recursive: true, force: true });
    await machine.ask('systemctl', 'daemon-reload');
  });

  /** Drop-ins beside the unit, as text of their sections by name. */
  async function configure(dropIns: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, section] of Object.entries(dropIns)) machine.install(`${UNIT}.d/${name}.conf`, section);
    await machine.ask('systemctl', 'daemon-reload');
  }

  async function isActive(): Promise<string> {
    return (await machine.run('systemctl', 'is-active', UNIT)).stdout.trim();
  }

  const mainPid = () => machine.property(UNIT, 'MainPID');
  const restarts = async () => Number(await machine.property(UNIT, 'NRestarts'));

  async function scrape(agent?: Agent): Promise<Series[]> {
    return parseExposition((await get(PORT, '/metrics', {}, agent)).text);
  }

  describe('the unit', () => {
    it('is active after its first sample and no sooner, and stops while another hangs', async () => {
      writeFileSync(machine.path('/run/holding.mjs'), HOLDING);
      writeFileSync(machine.path(HOLD), '');
      const procfs = new SlowProcfs(machine);
      const holding = '[Service]\nEnvironment=NODE_OPTIONS=--import=/run/holding.mjs\n';
      await configure({ holding, slow: environment(procfs.settings) });
      await machine.ask('systemctl', 'start', '--no-block', UNIT);
      await vi.waitFor(async () => expect((await get(PORT, '/-/ready')).status).toBe(503), PATIENCE);
      await sleep(500);
      expect(await isActive()).toBe('activating');
      expect(await machine.property(UNIT, 'StatusText')).toBe('');
      rmSync(machine.path(HOLD));
      await vi.waitFor(async () => expect(await isActive()).toBe('active'), PATIENCE);
      expect((await get(PORT, '/-/ready')).status).toBe(200);
      procfs.hang();
      await vi.waitFor(async () => expect((await get(PORT, '/-/ready')).status).toBe(503), PATIENCE);
      await expectCleanStop();
    });

    it('says in words how full the ports are', async () => {
      await machine.ask('systemctl', 'start', UNIT);
      expect(await machine.property(UNIT, 'StatusText')).toMatch(
        /^worst: (tcp|udp) (connect|bind) \d+\.\d % used, \d+ ports left, in host; 1 namespace; a sample every 5s$/,
      );
      expect(await machine.ask('systemctl', 'status', UNIT)).toMatch(/Status: "worst: .* in host;/);
    });

    it('reloads without a restart', async () => {
      await machine.ask('systemctl', 'start', UNIT);
      const pid = await machine.property(UNIT, 'MainPID');
      await machine.ask('systemctl', 'reload', UNIT);
      await vi.waitFor(
        async () =>
          expect((await machine.run('journalctl', '--unit', UNIT, '--output=cat')).stdout).toMatch(
            /msg=reloaded /,
          ),
        10_000 * SLOWNESS,
      );
      expect(await machine.property(UNIT, 'MainPID')).toBe(pid);
      await expectCleanStop();
    });

    it('stops within a second, cleanly', async () => {
      await machine.ask('systemctl', 'start', UNIT);
      await get(PORT, '/metrics');
      const tookMs = await expectCleanStop();
      console.log(`systemctl stop took ${Math.round(tookMs)} ms`);
    });

    async function expectCleanStop(): Promise<number> {
      const startedAt = performance.now();
      await machine.ask('systemctl', 'stop', UNIT);
      const tookMs = performance.now() - startedAt;
      expect(tookMs).toBeLessThan(1000 * SLOWNESS);
      expect(await isActive()).toBe('inactive');
      expect(await machine.property(UNIT, 'ExecMainStatus')).toBe('0');
      expect(await machine.property(UNIT, 'Result')).toBe('success');
      return tookMs;
    }

    it('is understood by systemd to the last line', async () => {
      const units = ['port-exporter.service', 'port-exporter.socket'];
      const verified = await machine.run('systemd-analyze', 'verify', '--man=no', ...units);
      expect(verified).toEqual({ code: 0, stdout: '', stderr: '' });
    });

    it.each([
      [2, 'as it is', {}],
      [1.8, 'with BPF', { bpf: deployed('bpf.conf') }],
      [2.2, 'with ports behind a NAT', { snat: deployed('snat.conf') }],
      [1.9, 'with these and BPF', { bpf: deployed('bpf.conf'), snat: deployed('snat.conf') }],
      [1.3, 'without capabilities', { unprivileged: deployed('unprivileged.conf') }],
    ])('has an exposure of at most %f %s', async (most, how, dropIns) => {
      await configure(dropIns);
      const table = await machine.ask('systemd-analyze', 'security', '--no-pager', UNIT);
      const [line = '', score] =
        /Overall exposure level for port-exporter.service: (\d+\.\d) .*$/m.exec(table) ?? [];
      console.log(`${line} (${how})`);
      expect(Number(score)).toBeLessThanOrEqual(most);
    });

    it.each([
      ['netlink', 'as it is', {}],
      ['bpf', 'with BPF', { bpf: deployed('bpf.conf') }],
      ['netlink', 'without capabilities', { unprivileged: deployed('unprivileged.conf') }],
    ])('reads sockets from %s %s', async (source, _, dropIns) => {
      await configure(dropIns);
      await machine.ask('systemctl', 'start', UNIT);
      const found = (await scrape()).filter(({ name }) => name === 'port_exporter_source_info');
      expect(found.map(({ labels }) => labels['source'])).toEqual([source]);
      await machine.ask('systemctl', 'stop', UNIT);
    });

    it('gives those capabilities that it names to what samples, none to what serves, and the user is nobody', async () => {
      await machine.ask('systemctl', 'start', UNIT);
      const [main = '', launcher = '', sampler = ''] = await processes();
      const setsOf = async (pid: string, sets: readonly string[]) => {
        const statuses = await machine.ask('sh', '-c', `cat /proc/${pid}/task/*/status`);
        const found = statuses.matchAll(new RegExp(`^(?:${sets.join('|')}):\\t0*(.*)$`, 'gm'));
        return [...new Set([...found].map(([, bits]) => bits))];
      };
      const [, uid] = /^Uid:\t(\d+)/m.exec(await machine.ask('cat', `/proc/${main}/status`)) ?? [];
      expect(Number(uid)).toBeGreaterThanOrEqual(61_184);
      // What is inheritable is so by files alone, which NoNewPrivileges= has the kernel ignore.
      expect(await setsOf(main, ['CapPrm', 'CapEff', 'CapAmb'])).toEqual(['']);
      // CAP_SYS_PTRACE is 19, CAP_SYS_ADMIN 21 (linux/capability.h).
      const all = ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
      for (const pid of [launcher, sampler]) expect(await setsOf(pid, all)).toEqual(['280000']);
    });

    it('has nobody write the memory of a process, not even what may trace all of them', async () => {
      await machine.ask('systemctl', 'start', UNIT);
      // Into its mount namespace alone, as root: what is refused there is refused by the mount.
      const inside = async (pid: string, path: string) =>
        machine.run('nsenter', `--mount=/proc/${pid}/ns/mnt`, 'sh', '-c', `exec 3<>${path}`);
      for (const pid of await processes()) {
        for (const path of ['/proc/1/mem', '/proc/1/oom_score_adj']) {
          expect((await inside(pid, path)).stderr).toContain('Read-only file system');
        }
        expect((await machine.run('sh', '-c', `exec 3<>/proc/${pid}/mem`)).code).toBe(0);
      }
    });

    /** The process that serves, its launcher, and the sampler. */
    async function processes(): Promise<string[]> {
      const main = (await mainPid()) ?? '';
      const childOf = async (pid: string) => (await machine.ask('pgrep', '--parent', pid)).trim();
      const launcher = await childOf(main);
      return [main, launcher, await childOf(launcher)];
    }
  });

  describe('the watchdog', () => {
    const impatient = `[Service]\nWatchdogSec=${WATCHDOG_S}s\nRestartSec=100ms\n`;

    it('leaves a process alone that samples, and has a frozen one killed and replaced', async () => {
      await configure({ impatient });
      await machine.ask('systemctl', 'start', UNIT);
      await sleep(1500 * WATCHDOG_S);
      expect(await restarts()).toBe(0);
      const frozen = await mainPid();
      await machine.ask('systemctl', 'kill', '--signal=STOP', '--kill-whom=main', UNIT);
      await vi.waitFor(async () => {
        expect(await restarts()).toBe(1);
        expect(await isActive()).toBe('active');
      }, PATIENCE);
      expect(await mainPid()).not.toBe(frozen);
      expect((await get(PORT, '/-/ready')).status).toBe(200);
      expect(await machine.ask('journalctl', '--no-pager', '--unit', UNIT)).toContain('Watchdog timeout');
    });

    it('has one replaced whose samples no longer arrive, though it answers', async () => {
      const procfs = new SlowProcfs(machine);
      await configure({ impatient, slow: environment(procfs.settings) });
      await machine.ask('systemctl', 'start', UNIT);
      const hung = await mainPid();
      procfs.hang();
      await vi.waitFor(async () => expect((await get(PORT, '/-/ready')).status).toBe(503), PATIENCE);
      expect(await mainPid()).toBe(hung);
      await vi.waitFor(async () => expect(await restarts()).toBe(1), PATIENCE);
    });
  });

  describe('the socket unit', () => {
    beforeEach(async () => {
      await configure({ 'socket-activation': deployed('socket-activation.conf') });
      await machine.ask('systemctl', 'start', 'port-exporter.socket');
    });

    it('hands over its socket: the first connection starts the service, which answers it', async () => {
      expect(await isActive()).toBe('inactive');
      expect((await get(PORT, '/-/healthy')).text).toBe('healthy\n');
      await vi.waitFor(async () => expect(await isActive()).toBe('active'), PATIENCE);
      expect((await get(PORT, '/metrics')).text).toContain('port_exhaustion_ratio{');
    });

    it('hands over several', async () => {
      await machine.ask('systemctl', 'stop', 'port-exporter.socket');
      machine.install('port-exporter.socket.d/more.conf', '[Socket]\nListenStream=127.0.0.1:10070\n');
      try {
        await machine.ask('systemctl', 'daemon-reload');
        await machine.ask('systemctl', 'start', 'port-exporter.socket');
        for (const port of [PORT, 10_070]) expect((await get(port, '/-/healthy')).text).toBe('healthy\n');
      } finally {
        rmSync(machine.path('/run/systemd/system/port-exporter.socket.d'), { recursive: true });
      }
    });

    it('keeps it while the service restarts: no connection is refused', async () => {
      await get(PORT, '/-/healthy');
      await vi.waitFor(async () => expect(await isActive()).toBe('active'), PATIENCE);
      const before = await mainPid();
      const restarted = machine.ask('systemctl', 'restart', UNIT);
      let isOver = false;
      restarted.finally(() => {
        isOver = true;
      });
      for (let connections = 0; !isOver || connections === 0; connections++) {
        // A connection that was taken by the old process and not answered yet may be reset; none is refused.
        await get(PORT, '/-/healthy').catch((error) => expect(error.code).not.toBe('ECONNREFUSED'));
      }
      await restarted;
      expect(await mainPid()).not.toBe(before);
      expect((await get(PORT, '/-/ready')).status).toBe(200);
    });
  });

  describe('metrics', () => {
    /** Everything is read whole, and all the time it takes is spent on names. */
    const thorough = { NAMESPACES_FULL_DUMP_ABOVE: '0', PROCESSES_BUDGET: '5s', SAMPLE_MAX_DUTY: '1' };

    beforeAll(async () => {
      await machine.ask('ip', 'netns', 'add', 'blue');
      await machine.ask('ip', '-n', 'blue', 'link', 'set', 'lo', 'up');
      writeFileSync(machine.path('/run/peer.mjs'), PEER);
      machine.install('peer.service', peerUnit(''));
      machine.install('peer-in-blue.service', peerUnit('NetworkNamespacePath=/run/netns/blue'));
      await machine.ask('systemctl', 'daemon-reload');
      await machine.ask('systemctl', 'start', 'peer.service', 'peer-in-blue.service');
    });
    afterAll(async () => {
      await machine?.run('systemctl', 'stop', 'peer.service', 'peer-in-blue.service');
      await machine?.run('ip', 'netns', 'delete', 'blue');
    });

    /** Calls that were counted since the daemon started, which one sample does not do. */
    function isOfCalls({ name }: Series): boolean {
      return /^port_(?:\w+_)?(?:refusals|failures)_total$|^port_exporter_evicted_series_total$/.test(name);
    }

    const ENTERING = ['canary', 'conntrack', 'snat'];
    function isOfEntering({ labels }: Series): boolean {
      return ENTERING.includes(labels['collector'] ?? '') && labels['netns'] === 'blue';
    }

    /** What a root shell reads at the same time, until both agree, or when the patience is over. */
    async function compare(
      settings: Readonly<Record<string, string>>,
      view: (series: readonly Series[]) => unknown,
    ): Promise<unknown> {
      const agent = keepingAgent();
      const shell = Object.entries(variables({ ...thorough, ...settings })).map(
        ([name, value]) => `${name}=${value}`,
      );
      try {
        // Its connection stays: both see it.
        return await vi.waitFor(
          async () => {
            const exposed = view(await scrape(agent));
            const read = view(parseExposition(await machine.ask('env', ...shell, 'port-exporter', '--once')));
            expect(exposed).toEqual(read);
            return exposed;
          },
          { ...PATIENCE, interval: 500 },
        );
      } finally {
        agent.destroy();
      }
    }

    it('are those of a root shell, in other namespaces and with processes and users', async () => {
      await configure({ thorough: environment({ ...thorough, SAMPLE_INTERVAL: '200ms' }) });
      await machine.ask('systemctl', 'start', UNIT);
      const lines = await compare({ SAMPLE_SOURCE: 'netlink' }, stable);
      for (const netns of ['host', 'blue']) {
        expect(lines).toContain(
          `port_listener_info{address="127.0.0.1",netns="${netns}",owner="${netns === 'host' ? 'peer' : 'peer-in-blue'}.service",port="8080",process="peer",protocol="tcp",service="http-alt",user="nobody"} 1`,
        );
        expect(lines).toContain(
          `port_destination_used_ports{local_address="127.0.0.1",netns="${netns}",remote_address="127.0.0.1",remote_port="8080",state="established"} 5`,
        );
      }
      expect(lines).toContain('port_namespaces{} 2');
    });

    it('are those of a root shell by BPF, but for what takes entering a namespace, or time', async () => {
      await configure({
        bpf: deployed('bpf.conf'),
        thorough: environment({ ...thorough, SAMPLE_INTERVAL: '200ms' }),
      });
      await machine.ask('systemctl', 'start', UNIT);
      const entered = ({ name, labels }: Series) =>
        /^port_(?:canary|conntrack|snat)_/.test(name) && labels['netns'] === 'blue';
      const lines = await compare({}, (series) =>
        stable(series.filter((one) => !entered(one) && !isOfEntering(one) && !isOfCalls(one))),
      );
      expect(lines).toContain(
        'port_destination_used_ports{local_address="127.0.0.1",netns="blue",remote_address="127.0.0.1",remote_port="8080",state="established"} 5',
      );
      expect(lines).toContain('port_exporter_source_info{source="bpf"} 1');
      const counted = (await scrape()).filter(({ name }) => name === 'port_refusals_total');
      expect(counted.map(({ labels }) => labels['netns'])).toEqual(expect.arrayContaining(['host', 'blue']));
    });

    it('include those of a namespace that got its name after the start', async () => {
      await configure({ thorough: environment({ ...thorough, SAMPLE_INTERVAL: '200ms' }) });
      await machine.ask('systemctl', 'start', UNIT);
      await machine.ask('ip', 'netns', 'add', 'late');
      try {
        await vi.waitFor(async () => expect(namesOf(await scrape())).toContain('late'), PATIENCE);
      } finally {
        await machine.ask('ip', 'netns', 'delete', 'late');
      }
    });

    it('are those of a root shell for the own namespace with the drop-in without capabilities', async () => {
      await configure({
        unprivileged: deployed('unprivileged.conf'),
        thorough: environment({ SAMPLE_INTERVAL: '200ms', SAMPLE_MAX_DUTY: '1' }),
      });
      await machine.ask('systemctl', 'start', UNIT);
      const status = await machine.ask('cat', `/proc/${await mainPid()}/status`);
      for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
      // Whether its namespace is the host's only a reader of PID 1 can tell, in a machine within another.
      const withoutNetns = (series: readonly Series[]) =>
        stable(
          series
            .filter(({ name }) => name !== 'port_namespace_info')
            .map((one) => ({ ...one, labels: { ...one.labels, netns: '' } })),
        );
      const lines = await compare(
        { NAMESPACES: 'self', PROCESSES_BUDGET: '0', SAMPLE_SOURCE: 'netlink' },
        withoutNetns,
      );
      expect(lines).toContain(
        'port_destination_used_ports{local_address="127.0.0.1",netns="",remote_address="127.0.0.1",remote_port="8080",state="established"} 5',
      );
      expect(await machine.property(UNIT, 'StatusText')).toMatch(/^worst: /);
    });

    it.each([
      ['CAP_SYS_ADMIN', { blue: false, process: 'peer' }],
      ['CAP_SYS_PTRACE', { blue: true, process: '' }],
    ])('need %s', async (capability, expected) => {
      const less = `[Service]\nAmbientCapabilities=~${capability}\nCapabilityBoundingSet=~${capability}\n`;
      await configure({ less, thorough: environment({ ...thorough, SAMPLE_INTERVAL: '200ms' }) });
      await machine.ask('systemctl', 'start', UNIT);
      const series = await scrape();
      const own = series.find(
        ({ name, labels }) =>
          name === 'port_listener_info' && labels['port'] === '8080' && labels['netns'] !== 'blue',
      );
      expect({ blue: namesOf(series).has('blue'), process: own?.labels['process'] }).toEqual(expected);
    });
  });

  it('without the command systemd-notify it is ready and alive nevertheless, with one line', async () => {
    await configure({ bare: `[Service]\nEnvironment=PATH=/usr/local/bin\nWatchdogSec=${WATCHDOG_S}s\n` });
    await machine.ask('systemctl', 'start', UNIT);
    const invocation = await machine.property(UNIT, 'InvocationID');
    expect(await machine.property(UNIT, 'StatusText')).toMatch(/^worst: /);
    await sleep(1500 * WATCHDOG_S);
    expect(await isActive()).toBe('active');
    expect(await restarts()).toBe(0);
    const journal = await machine.ask(
      'journalctl',
      '--no-pager',
      '--output=cat',
      `_SYSTEMD_INVOCATION_ID=${invocation}`,
    );
    expect(journal.split('\n').filter((line) => /level=(warn|error)/.test(line))).toEqual([
      expect.stringMatching(/systemd-notify.*ENOENT/),
    ]);
  });
});

/** Environment= of the flags' variables. */
function environment(flags: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables(flags)).map(([name, value]) => `Environment=${name}=${value}\n`);
  return `[Service]\n${lines.join('')}`;
}

function variables(flags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [`PORT_EXPORTER_${name}`, value]));
}

/** A copy of the fixture in which a sample can be made to hang. */
class SlowProcfs {
  readonly settings: Readonly<Record<string, string>>;
  readonly #range: string;

  constructor(machine: SystemdMachine) {
    const inside = '/run/slow-proc';
    this.settings = {
      ...{ PATH_PROCFS: inside, SAMPLE_SOURCE: 'procfs', NAMESPACES: 'self' },
      SAMPLE_INTERVAL: '100ms',
    };
    rmSync(machine.path(inside), { recursive: true, force: true });
    cpSync(FIXTURE, machine.path(inside), { recursive: true, verbatimSymlinks: true });
    this.#range = `${machine.path(inside)}/sys/net/ipv4/ip_local_port_range`;
  }

  /** open(2) of a FIFO waits for somebody who writes into it. */
  hang(): void {
    execFileSync('mkfifo', ['--mode=0644', `${this.#range}.fifo`]);
    renameSync(`${this.#range}.fifo`, this.#range);
  }
}

/** Loaded before the program: its sampler waits as long as the file is there. */
const HOLD = '/run/hold';
const HOLDING = `
  import { existsSync } from 'node:fs';
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (process.argv[1]?.endsWith('/sampler.js') && existsSync('${HOLD}')) Atomics.wait(cell, 0, 0, 50);
`;

/** Listens, connects to itself five times, and holds a UDP port. */
const PEER = `
  import { createSocket } from 'node:dgram';
  import { connect, createServer } from 'node:net';
  process.title = 'peer';
  createServer().listen(8080, '127.0.0.1', () => {
    for (let n = 0; n < 5; n++) connect(8080, '127.0.0.1');
  });
  createSocket('udp4').bind(5353, '127.0.0.1');
`;

function peerUnit(line: string): string {
  return `[Service]\nUser=nobody\nExecStart=node /run/peer.mjs\n${line}\n`;
}

function namesOf(series: readonly Series[]): Set<string | undefined> {
  return new Set(
    series.filter(({ name }) => name === 'port_ephemeral_ports').map(({ labels }) => labels['netns']),
  );
}

/** Lines of what does not depend on when, and by which process, it is read. */
function stable(series: readonly Series[]): string[] {
  return series
    .filter(
      ({ name }) =>
        !/^(process_|nodejs_|port_exporter_sampler_)|_(seconds|peak_ratio)$|^port_exporter_build_info$/.test(
          name,
        ),
    )
    .map(({ name, labels, value }) => {
      const pairs = Object.entries(labels)
        .toSorted()
        .map(([label, text]) => `${label}="${text}"`);
      return `${name}{${pairs.join()}} ${value}`;
    })
    .toSorted();
}
