import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, invalidValue } from '../base/errors.ts';
import { loadLibc } from '../kernel/libc.ts';
import { becomeProgram } from '../kernel/ownProcess.ts';
import { namespaceByName } from '../namespaces/byName.ts';
import type { FoundNamespace } from '../namespaces/found.ts';
import { enterForGood, whyNotEntered } from '../namespaces/namespaceSwitcher.ts';
import { ownNamespace } from '../namespaces/ownNamespace.ts';
import { optional } from './flag.ts';

/** Every namespace, and no namespace's name. */
export const ALL = 'all';

const GROUP = 'Namespaces:';

/** Of what reads the kernel's tables. */
export const NETNS_OR_ALL = optional(
  {
    group: GROUP,
    describe: 'Read network namespace NAME (as in the label netns), that of process PID, or all',
    suggests: [ALL],
  },
  (text) => text,
);

/** Of what connects. */
export const NETNS = optional(
  {
    group: GROUP,
    describe: 'Connect from network namespace NAME (as in the label netns) or that of process PID',
  },
  (text) => {
    if (text === ALL) throw invalidValue(text, 'NAME or PID, since a connection is made from one namespace');
    return text;
  },
);

/** Of what shows events of the whole host. */
export const NETNS_ONLY = optional(
  {
    group: GROUP,
    describe:
      'Show only network namespace NAME (as in the label netns), or that of process PID; default: all',
  },
  (text) => text,
);

/** The inode number of the namespace; undefined for all of them. Throws an ExporterError. */
export function netnsInode(wanted: string | undefined, procfs: string): number | undefined {
  if (wanted === undefined || wanted === ALL) return undefined;
  return inNameOfFlag(() => (namespaceByName(procfs, wanted) ?? ownNamespace(procfs)).inode);
}

/**
 * Brings the calling thread into the namespace for good → how to enter it; undefined where it is there already. Threads
 * that run already stay behind. Throws an ExporterError.
 */
export function enterNetns(wanted: string, procfs: string): FoundNamespace | undefined {
  return inNameOfFlag(() => {
    const found = namespaceByName(procfs, wanted);
    if (found === undefined) return undefined;
    try {
      enterForGood(loadLibc(), found);
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      throw new ExporterError(`entering ${wanted}: ${whyNotEntered(error)}`);
    }
    return found;
  });
}

/**
 * Brings the whole process there. getaddrinfo() runs on threads that Node has long started: so the program begins anew,
 * with the same arguments, from a thread that is inside, and finds itself there already. Names are resolved by the files
 * in sight, as with nsenter(1); where there are files for the namespace, /etc/netns/NAME, by these, as with ip-netns(8).
 */
export function beginInNetns(wanted: string | undefined, procfs: string): void {
  const found = wanted === undefined ? undefined : enterNetns(wanted, procfs);
  if (wanted === undefined || found === undefined) return;
  inNameOfFlag(() => {
    if (namespaceByName(procfs, wanted) !== undefined)
      throw new ExporterError(`${procfs} does not show net:[${found.inode}] after entering ${wanted}`);
    const program: [string, ...string[]] = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const hasFiles = found.name !== undefined && existsSync(join('/etc/netns', found.name));
    becomeProgram(hasFiles ? ['ip', 'netns', 'exec', found.name, ...program] : program);
  });
}

function inNameOfFlag<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    throw new ExporterError(`--netns: ${error.message}`);
  }
}
