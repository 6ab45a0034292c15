import { type Dir, opendirSync } from 'node:fs';
import { ExporterError, errorCode } from '../base/errors.ts';
import { ifReadable, isRefused, isShortage } from '../base/ifReadable.ts';
import { type DescriptorView, descriptorViews } from './descriptorViews.ts';

/** Directory entries per system call, and descriptors between two looks at the clock. */
const BATCH = 64;

/** The sockets of one process, read piece by piece: it may hold a million. */
export class Descriptors {
  readonly #process: string;
  #open: { readonly view: DescriptorView; readonly directory: Dir } | undefined;

  constructor(procfs: string, pid: number) {
    this.#process = `${procfs}/${pid}`;
  }

  /**
   * Goes on where it stopped, and hands over each socket's inode and descriptor. `more` where the time was over (or
   * `found` had enough, by returning false), `done` at the end, which is also that of a process and of whatever else
   * cannot be read on; `refused` for lack of privilege. Throws an ExporterError where descriptors or memory are short; the next
   * call then begins anew.
   */
  read(
    found: (inode: number, fd: string) => boolean,
    timeIsOver: () => boolean,
  ): 'more' | 'done' | 'refused' {
    try {
      this.#open ??= throughAnyView((view) => ({
        view,
        directory: opendirSync(`${this.#process}/${view.directory}`, { bufferSize: BATCH }),
      }));
      const { view, directory } = this.#open;
      for (let entries = 1; ; entries++) {
        const entry = directory.readSync();
        if (entry === null) {
          this.close();
          return 'done';
        }
        const inode = socketInode(view, this.#process, entry.name);
        if (inode !== undefined && !found(inode, entry.name)) return 'more';
        if (entries % BATCH === 0 && timeIsOver()) return 'more';
      }
    } catch (thrown) {
      this.close();
      if (isRefused(thrown)) return 'refused';
      if (isShortage(thrown))
        throw new ExporterError(`reading the descriptors of ${this.#process}`, { cause: thrown });
      if (errorCode(thrown) !== undefined) return 'done';
      throw thrown;
    }
  }

  close(): void {
    this.#open?.directory.closeSync();
    this.#open = undefined;
  }
}

/** Whether this descriptor is, still, that socket. */
export function holdsSocket(procfs: string, pid: number, fd: string, inode: number): boolean {
  return ifReadable(() => throughAnyView((view) => socketInode(view, `${procfs}/${pid}`, fd))) === inode;
}

/** With the first view that is not refused; throws where all are. */
function throughAnyView<T>(look: (view: DescriptorView) => T): T {
  let refusal: unknown;
  for (const view of descriptorViews()) {
    try {
      return look(view);
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown;
      refusal ??= thrown;
    }
  }
  throw refusal;
}

/**
 * undefined for anything that is no socket, and for a descriptor closed meanwhile. A refusal is of all descriptors of the
 * process, and thrown; any other errno is of this one alone: ENAMETOOLONG where its path is longer than PATH_MAX.
 */
function socketInode(view: DescriptorView, process: string, fd: string): number | undefined {
  try {
    return view.socketInode(`${process}/${view.directory}/${fd}`);
  } catch (thrown) {
    if (isRefused(thrown) || isShortage(thrown) || errorCode(thrown) === undefined) throw thrown;
    return undefined;
  }
}
