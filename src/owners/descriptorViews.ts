import { readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { ExporterError } from '../base/errors.ts';
import { ifReadable } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { holds, whyDenied } from '../kernel/capabilities.ts';
import { AF_UNIX, loadLibc, SOCK_DGRAM } from '../kernel/libc.ts';
import { releaseAtLeast } from '../kernel/release.ts';

/** A directory of /proc/<pid> with an entry for every descriptor of the process. */
export interface DescriptorView {
  readonly directory: 'fd' | 'fdinfo';
  /** The inode number of the socket that the entry at `path` is; undefined where it is none. */
  socketInode(path: string): number | undefined;
}

/** `socket:[12345]`. Of other users' processes it takes CAP_DAC_READ_SEARCH to be listed and CAP_SYS_PTRACE to be read. */
const links: DescriptorView = {
  directory: 'fd',
  socketInode(path) {
    const link = readlinkSync(path);
    return link.startsWith('socket:[') ? Number(link.slice('socket:['.length, -1)) : undefined;
  },
};

/**
 * Since Linux 5.14 CAP_SYS_PTRACE alone opens it (fs/proc/fd.c, proc_fdinfo_permission). It takes three system calls
 * for a descriptor where a link takes one, and tells a socket by the mount that all sockets are on.
 */
const infos: DescriptorView = {
  directory: 'fdinfo',
  socketInode(path) {
    const { mount, inode } = parseDescriptorInfo(readUpTo(path, INFO_LIMIT));
    return mount !== undefined && mount === socketMount() ? inode : undefined;
  },
};

let usable: readonly DescriptorView[] | undefined;

/** The cheaper first. One that is refused anyway is not among them: to try costs as much as to look. */
export function descriptorViews(): readonly DescriptorView[] {
  usable ??= holds('CAP_SYS_PTRACE') ? [links, infos] : [links];
  return usable;
}

/** For a person: what was missing where all views of another user's process were denied. */
export function whyDescriptorsDenied(kernelRelease = release(), status?: string): string {
  return releaseAtLeast(kernelRelease, 5, 14)
    ? whyDenied(['CAP_SYS_PTRACE'], status)
    : whyDenied(['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'], status);
}

/** What an eventpoll or inotify descriptor shows may be long; these two come first. */
const INFO_LIMIT = 512;

/** proc_pid_fdinfo(5): `mnt_id:` and, since Linux 5.14, `ino:`, a line each. */
export function parseDescriptorInfo(bytes: Uint8Array): {
  readonly mount: number | undefined;
  readonly inode: number | undefined;
} {
  const text = Buffer.from(bytes).toString('latin1');
  return { mount: numberOf(/^mnt_id:\t(\d+)$/m.exec(text)), inode: numberOf(/^ino:\t(\d+)$/m.exec(text)) };
}

function numberOf(match: RegExpExecArray | null): number | undefined {
  return match === null ? undefined : Number(match[1]);
}

let known: { readonly mount: number | undefined } | undefined;

/** The kernel's own mount of sockfs has one id for all, which any socket of this process tells. */
function socketMount(): number | undefined {
  known ??= { mount: readSocketMount() };
  return known.mount;
}

/** undefined where no socket can be made, as without the FFI library. */
function readSocketMount(): number | undefined {
  try {
    const libc = loadLibc();
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    try {
      const info = ifReadable(() => readFileSync(`/proc/self/fdinfo/${fd}`));
      return info && parseDescriptorInfo(info).mount;
    } finally {
      libc.close(fd);
    }
  } catch (error) {
    if (error instanceof ExporterError) return undefined;
    throw error;
  }
}
