import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';

/** Real cgroups for a test, all below one of their own, in the cgroup v2 hierarchy wherever it is mounted. */
export class CgroupSandbox {
  readonly mount: string;
  /** `/port-exporter-test-123.slice` */
  readonly base = `/port-exporter-test-${process.pid}.slice`;
  readonly #isMountOurs: boolean;
  readonly #made: string[] = [];

  constructor() {
    const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
    this.#isMountOurs = mounted === undefined;
    this.mount = mounted ?? mountCgroups();
    this.make('');
  }

  /** A new cgroup below the base → its path and id. */
  make(path: string): { path: string; id: number } {
    const directory = this.directory(path);
    mkdirSync(directory);
    this.#made.push(directory);
    return { path: this.base + path, id: statSync(directory).ino };
  }

  directory(path: string): string {
    return join(this.mount, this.base + path);
  }

  remove(path: string): void {
    const directory = this.directory(path);
    rmdirSync(directory);
    this.#made.splice(this.#made.indexOf(directory), 1);
  }

  /** Once its processes have ended; the kernel may take a moment to see that. */
  async close(): Promise<void> {
    for (const directory of this.#made.splice(0).reverse()) await removeCgroup(directory);
    if (!this.#isMountOurs) return;
    execFileSync('umount', [this.mount]);
    rmdirSync(this.mount);
  }
}

async function removeCgroup(directory: string): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    try {
      rmdirSync(directory);
      return;
    } catch (error) {
      if (attempts === 100) throw error;
      await sleep(20);
    }
  }
}

function mountCgroups(): string {
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-cgroup2-'));
  try {
    execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', directory], { stdio: 'pipe' });
    return directory;
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
}

/** Why cgroups cannot be made here; undefined where they can. */
const refusal = await trySandbox();

async function trySandbox(): Promise<string | undefined> {
  try {
    await new CgroupSandbox().close();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** A group of tests that need cgroups of their own. Skipped by name without them; where CI is true that is a failure. */
export function describeWithCgroups(name: string, define: () => void): void {
  if (refusal !== undefined && process.env['CI'] !== 'true') {
    describe.skip(`${name} (skipped: no cgroups of its own: ${refusal})`, define);
  } else {
    describe(name, define);
  }
}
