import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A /proc and a cgroup mount of plain files, as far as the owners of sockets are looked up in them. */
export class FakeHost {
  readonly #root = mkdtempSync(join(tmpdir(), 'port-exporter-host-'));
  readonly procfs = join(this.#root, 'proc');
  readonly cgroupMount = join(this.#root, 'cgroup');

  constructor() {
    mkdirSync(this.procfs);
    mkdirSync(this.cgroupMount);
    mkdirSync(join(this.#root, 'etc'));
    writeFileSync(join(this.#root, 'etc/passwd'), `me:x:${process.getuid?.()}:0:::\n`);
  }

  get root(): string {
    return this.#root;
  }

  cgroup(path: string, pids: readonly number[]): void {
    mkdirSync(join(this.cgroupMount, path), { recursive: true });
    writeFileSync(join(this.cgroupMount, path, 'cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
  }

  /** A process with these descriptors, in place of any other with this pid. */
  process(pid: number, name: string, links: readonly string[], startTime = 1000 + pid): void {
    this.end(pid);
    mkdirSync(join(this.procfs, `${pid}/fd`), { recursive: true });
    const zeros = Array(18).fill(0).join(' ');
    writeFileSync(join(this.procfs, `${pid}/stat`), `${pid} (${name}) S ${zeros} ${startTime} 0 0\n`);
    links.forEach((link, fd) => {
      symlinkSync(link, join(this.procfs, `${pid}/fd/${fd}`));
    });
  }

  closeDescriptors(pid: number): void {
    rmSync(join(this.procfs, `${pid}/fd`), { recursive: true });
    mkdirSync(join(this.procfs, `${pid}/fd`));
  }

  end(pid: number): void {
    rmSync(join(this.procfs, String(pid)), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true });
  }
}

export function sockets(...inodes: readonly number[]): string[] {
  return inodes.map((inode) => `socket:[${inode}]`);
}
