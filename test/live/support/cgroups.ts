import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { errorCode } from '../../../src/base/errors.ts';
import { findCgroupMount } from '../../../src/owners/cgroupMount.ts';
import { sleepMs } from './kernel.ts';

/** Every name made here has this in it, so that a machine's own cgroups are never meant. */
export const UNIQUE = `port-exporter-test-${process.pid}`;

const MOUNT = findCgroupMount('/proc', '/sys').path;

const cgroupsOfTest: Cgroups[] = [];
afterEach(() => {
  for (const cgroups of cgroupsOfTest.splice(0)) cgroups.close();
});

/** Cgroups that end with the test, and with them the processes that are still in there. */
export function newCgroups(): Cgroups {
  const cgroups = new Cgroups();
  cgroupsOfTest.push(cgroups);
  return cgroups;
}

/** Cgroups of the tests' own, right below the cgroup v2 mount. `close()` removes them all. */
export class Cgroups {
  readonly #mount: string;
  readonly #made: string[] = [];

  constructor() {
    if (MOUNT === undefined) throw new Error('no cgroup v2 is mounted');
    this.#mount = MOUNT;
  }

  /** → its directory. */
  make(path: string): string {
    let directory = this.#mount;
    for (const name of path.split('/')) {
      directory = join(directory, name);
      try {
        mkdirSync(directory);
        this.#made.push(directory);
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
    }
    return directory;
  }

  /** Its processes must have left; those just killed may take a moment. */
  remove(directory: string): void {
    for (let waited = 0; ; waited += 10) {
      try {
        rmdirSync(directory);
        break;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') break;
        if (errorCode(error) !== 'EBUSY' || waited > 5000) throw error;
        sleepMs(10);
      }
    }
  }

  /** Does something as a process of this cgroup, which sockets opened meanwhile belong to. */
  within<T>(path: string, act: () => T): T {
    const home = join(this.#mount, ownPath());
    this.enter(path, process.pid);
    try {
      return act();
    } finally {
      move(process.pid, home);
    }
  }

  /** Moves a process. The sockets that it has stay where they were made. */
  enter(path: string, pid: number): void {
    move(pid, this.make(path));
  }

  /** What others made below a directory ends with it. */
  adoptBelow(directory: string): void {
    const below = readdirSync(directory, { recursive: true, withFileTypes: true, encoding: 'utf8' });
    const paths = below
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    this.#made.push(...paths.toSorted());
  }

  close(): void {
    for (const directory of this.#made.splice(0).toReversed()) {
      endProcessesIn(directory);
      this.remove(directory);
    }
  }
}

/** Why no cgroups can be made here; undefined where they can. */
export function cgroupRefusal(): string | undefined {
  let cgroups: Cgroups | undefined;
  try {
    cgroups = new Cgroups();
    cgroups.within(`${UNIQUE}-probe`, () => {});
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    cgroups?.close();
  }
}

function endProcessesIn(directory: string): void {
  if (!existsSync(directory)) return;
  for (const pid of readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n')) {
    if (pid !== '') kill(Number(pid));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

function move(pid: number, directory: string): void {
  writeFileSync(join(directory, 'cgroup.procs'), String(pid));
}

/** proc_pid_cgroup(5): the line of version 2 is `0::/path`. */
function ownPath(): string {
  const path = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (path === undefined) throw new Error('this process is in no cgroup v2');
  return path;
}
