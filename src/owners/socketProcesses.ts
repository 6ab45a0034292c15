import { statSync } from 'node:fs';
import { ifReadable } from '../base/ifReadable.ts';
import { printable } from '../base/printable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { candidatePids } from './candidates.ts';
import { Descriptors } from './descriptors.ts';
import { whyDescriptorsDenied } from './descriptorViews.ts';
import { parseProcessStat } from './processStat.ts';
import type { UserNames } from './users.ts';

/** A process and how many of the wanted sockets it holds. */
export interface SocketProcess {
  readonly pid: number;
  readonly process: string;
  readonly user: string;
  /** Its arguments with blanks between them, cut after 200 characters; '' where it shows none. */
  readonly commandLine: string;
  readonly sockets: number;
}

export interface SocketProcesses {
  /** Most sockets first. */
  readonly processes: readonly SocketProcess[];
  /** Sockets of which no process was found. */
  readonly unknown: number;
  /** For a person: why descriptors of some process could not be read; undefined where all could, or none had to be. */
  readonly refusal: string | undefined;
}

/**
 * Which processes hold these sockets: those of the sockets' cgroups are looked into first, then all others, each socket
 * until somebody has it. Of several holders the one with the lowest pid in its turn counts. Ends when the budget does.
 *
 * @param options.cgroupPaths below the mount; undefined for one that is not known
 */
export function findSocketProcesses(options: {
  readonly procfs: string;
  readonly cgroupMount: string | undefined;
  readonly users: UserNames;
  readonly cgroupPaths: readonly (string | undefined)[];
  readonly inodes: ReadonlySet<number>;
  readonly budgetMs: number;
}): SocketProcesses {
  const { procfs, users, budgetMs } = options;
  const end = performance.now() + budgetMs;
  const isOver = () => performance.now() >= end;
  const wanted = new Set(options.inodes);
  const processes: SocketProcess[] = [];
  let refused = false;
  for (const pid of pidsInTurn(options)) {
    if (wanted.size === 0 || isOver()) break;
    const before = wanted.size;
    const descriptors = new Descriptors(procfs, pid);
    const result = descriptors.read((inode) => !wanted.delete(inode) || wanted.size > 0, isOver);
    descriptors.close();
    refused ||= result === 'refused';
    if (wanted.size === before) continue;
    processes.push({ ...describe(procfs, pid, users), sockets: before - wanted.size });
  }
  return {
    processes: processes.toSorted((a, b) => b.sockets - a.sockets || a.pid - b.pid),
    unknown: wanted.size,
    refusal: refused && wanted.size > 0 ? whyDescriptorsDenied() : undefined,
  };
}

function* pidsInTurn({
  procfs,
  cgroupMount,
  cgroupPaths,
}: Parameters<typeof findSocketProcesses>[0]): Generator<number> {
  const seen = new Set<number>();
  const known = new Set(cgroupPaths.filter((path) => path !== undefined));
  for (const path of [...known, undefined]) {
    for (const pid of candidatePids(procfs, cgroupMount, path)) {
      if (seen.has(pid)) continue;
      seen.add(pid);
      yield pid;
    }
  }
}

const STAT_LIMIT = 2000;
const ARGUMENTS_LIMIT = 4096;
const COMMAND_LINE_LIMIT = 200;

/** What `ps` shows everybody of it. */
function describe(procfs: string, pid: number, users: UserNames): Omit<SocketProcess, 'sockets'> {
  const directory = `${procfs}/${pid}`;
  const stat = ifReadable(() => parseProcessStat(readUpTo(`${directory}/stat`, STAT_LIMIT)));
  const uid = ifReadable(() => statSync(directory).uid);
  const bytes = ifReadable(() => readUpTo(`${directory}/cmdline`, ARGUMENTS_LIMIT));
  return {
    pid,
    process: stat?.name ?? '',
    user: uid === undefined ? '' : users.name(uid),
    commandLine: printable(commandLineOf(bytes), COMMAND_LINE_LIMIT),
  };
}

/** proc_pid_cmdline(5): arguments that each end with a null byte. */
function commandLineOf(bytes: Buffer | undefined): string {
  return (bytes?.toString('utf8') ?? '').replaceAll('\0', ' ').trim();
}
