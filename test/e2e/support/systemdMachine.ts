import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { Cgroups, cgroupRefusal, UNIQUE } from '../../live/support/cgroups.ts';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { newDirectory } from './procfs.ts';

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const SCRIPT = fileURLToPath(new URL('./systemdMachine.sh', import.meta.url));
const NAMESPACES = ['--pid', '--mount', '--cgroup', '--uts', '--ipc', '--net'];
const UNITS = '/run/systemd/system';

/** Why no systemd can be booted here; undefined where one can. */
export function missingSystemd(): string | undefined {
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  const { error, status, stderr } = spawnSync('unshare', [...NAMESPACES, '--fork', 'true'], {
    encoding: 'utf8',
  });
  if (error !== undefined || status !== 0) return `no namespaces of its own: ${error ?? stderr.trim()}`;
  const noCgroups = cgroupRefusal();
  return noCgroups && `no cgroups of its own: ${noCgroups}`;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a machine begins with. */
interface Bare {
  /** Its root file system, of which nothing is changed. */
  readonly root: string;
}

/** Debian's systemd as PID 1 in namespaces of its own. It ends with this process at the latest. */
export class SystemdMachine {
  readonly #child: ChildProcess;
  readonly #cgroups: Cgroups;
  readonly #cgroup: string;
  readonly #output: string[];
  #init = 0;

  private constructor(child: ChildProcess, cgroups: Cgroups, cgroup: string) {
    this.#child = child;
    this.#cgroups = cgroups;
    this.#cgroup = cgroup;
    this.#output = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#output.push(text));
    }
  }

  /**
   * Until its default target is reached. With the built program installed and its units in place, unless it is to be bare:
   * then it has the units that packages install.
   */
  static async boot(bare?: Bare): Promise<SystemdMachine> {
    const cgroups = new Cgroups();
    const cgroup = cgroups.make(`${UNIQUE}-systemd`);
    const installed = [CHECKOUT, realpathSync(join(CHECKOUT, 'node_modules')), process.execPath];
    const child = spawn(
      'sh',
      [
        // The root of the new cgroup namespace is where the process is that makes it.
        ...['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup],
        ...['setpriv', '--pdeathsig', 'KILL'],
        ...['unshare', ...NAMESPACES, '--fork', '--kill-child=KILL'],
        ...['sh', SCRIPT, newDirectory(), ...(bare === undefined ? ['/', ...installed] : [bare.root])],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const machine = new SystemdMachine(child, cgroups, cgroup);
    try {
      await machine.#booted();
    } catch (error) {
      await machine.shutDown();
      throw error;
    }
    return machine;
  }

  /** Path of its network namespace. */
  get netns(): string {
    return `/proc/${this.#init}/ns/net`;
  }

  /** Where one of its files is to be found from here. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /** A command of a root shell inside. */
  run(...command: readonly string[]): Promise<Outcome> {
    const args = [
      '--target',
      String(this.#init),
      ...NAMESPACES,
      '--root',
      '--',
      'env',
      '--chdir=/',
      ...command,
    ];
    return new Promise((resolve, reject) => {
      execFile('nsenter', args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(error);
      });
    });
  }

  /** The output of one that must succeed. */
  async ask(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code === 0) return stdout.trim();
    throw new Error(`${command.join(' ')}: exit code ${code}: ${stdout}${stderr}\n${await this.#journal()}`);
  }

  /** A unit or drop-in, by its name below the directory of the units. */
  install(name: string, text: string): void {
    const path = this.path(`${UNITS}/${name}`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** A property of a unit. */
  property(unit: string, name: string): Promise<string> {
    return this.ask('systemctl', 'show', '--value', '--property', name, unit);
  }

  /** Everything in it ends at once; nothing of it is left. */
  async shutDown(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // With the first process of a PID namespace all others end, and with them the mounts.
      this.#child.kill('SIGKILL');
      await once(this.#child, 'close');
    }
    this.#cgroups.adoptBelow(this.#cgroup);
    this.#cgroups.close();
  }

  async #booted(): Promise<void> {
    await vi.waitFor(
      async () => {
        if (this.#child.exitCode !== null) return;
        this.#init = childOf(this.#child.pid);
        const target = await this.run('systemctl', 'is-active', 'machine.target');
        if (target.stdout.trim() !== 'active') throw new Error(target.stdout + target.stderr);
      },
      { timeout: 30_000 * SLOWNESS, interval: 100 },
    );
    if (this.#child.exitCode !== null) throw new Error(`booting ended: ${this.#output.join('')}`);
  }

  async #journal(): Promise<string> {
    const { stdout } = await this.run('journalctl', '--no-pager', '--output=short-monotonic', '--lines=50');
    return stdout;
  }
}

function childOf(pid: number | undefined): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  if (!child) throw new Error('not started yet');
  return Number(child);
}
