import { type Dir, opendirSync, readlinkSync } from 'node:fs';
import { isGone, isRefused } from './vanishing.ts';

/** Directory entries per system call, and descriptors between two looks at the clock. */
const BATCH = 64;

/** The sockets of one process, read piece by piece: it may hold a million. */
export class Descriptors {
  readonly #path: string;
  #directory: Dir | undefined;

  constructor(procfs: string, pid: number) {
    this.#path = descriptorPath(procfs, pid);
  }

  /**
   * Goes on where it stopped, and hands over each socket's inode and descriptor. `more` where the time was over (or
   * `found` had enough, by returning false), `done` at the end, which is also that of a process; `refused` for lack of
   * privilege.
   */
  read(
    found: (inode: number, fd: string) => boolean,
    timeIsOver: () => boolean,
  ): 'more' | 'done' | 'refused' {
    try {
      this.#directory ??= opendirSync(this.#path, { bufferSize: BATCH });
      for (let entries = 1; ; entries++) {
        const entry = this.#directory.readSync();
        if (entry === null) return this.#end('done');
        const inode = socketInode(this.#path, entry.name);
        if (inode !== undefined && !found(inode, entry.name)) return 'more';
        if (entries % BATCH === 0 && timeIsOver()) return 'more';
      }
    } catch (thrown) {
      if (isGone(thrown)) return this.#end('done');
      if (isRefused(thrown)) return this.#end('refused');
      this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#directory?.closeSync();
    this.#directory = undefined;
  }

  #end<T>(result: T): T {
    this.close();
    return result;
  }
}

/** Whether this descriptor is, still, that socket. */
export function holdsSocket(procfs: string, pid: number, fd: string, inode: number): boolean {
  try {
    return socketInode(descriptorPath(procfs, pid), fd) === inode;
  } catch (thrown) {
    if (isRefused(thrown)) return false;
    throw thrown;
  }
}

function descriptorPath(procfs: string, pid: number): string {
  return `${procfs}/${pid}/fd`;
}

/** `socket:[12345]`; undefined for anything else and for a descriptor closed meanwhile. */
function socketInode(path: string, fd: string): number | undefined {
  try {
    const link = readlinkSync(`${path}/${fd}`);
    if (!link.startsWith('socket:[')) return undefined;
    return Number(link.slice('socket:['.length, -1));
  } catch (thrown) {
    if (isGone(thrown)) return undefined;
    throw thrown;
  }
}
