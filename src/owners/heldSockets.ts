import { ExporterError } from '../base/errors.ts';
import { ifReadable } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { candidatePids } from './candidates.ts';
import { Descriptors } from './descriptors.ts';
import { whyDescriptorsDenied } from './descriptorViews.ts';
import { parseProcessStat } from './processStat.ts';

const STAT_LIMIT = 2000;

/**
 * Which of these sockets the processes of a name or pid hold. Throws an ExporterError where that is not known of all of them:
 * descriptors are refused, or the budget is over.
 *
 * @param process the name that `ps -o comm` shows, or a pid
 * @param inodes of the sockets in question
 */
export function socketsHeldBy(
  process: string,
  inodes: ReadonlySet<number>,
  { procfs, budgetMs }: { readonly procfs: string; readonly budgetMs: number },
): Set<number> {
  const end = performance.now() + budgetMs;
  const isOver = () => performance.now() >= end;
  const held = new Set<number>();
  for (const pid of candidatePids(procfs, undefined, undefined)) {
    if (isOver()) throw unfinished(process, budgetMs);
    if (String(pid) !== process && nameOf(procfs, pid) !== process) continue;
    const descriptors = new Descriptors(procfs, pid);
    const result = descriptors.read((inode) => {
      if (inodes.has(inode)) held.add(inode);
      return true;
    }, isOver);
    descriptors.close();
    if (result === 'more') throw unfinished(process, budgetMs);
    if (result === 'refused')
      throw new ExporterError(`reading the sockets of process ${pid}: ${whyDescriptorsDenied()}`);
  }
  return held;
}

function nameOf(procfs: string, pid: number): string | undefined {
  return ifReadable(() => parseProcessStat(readUpTo(`${procfs}/${pid}/stat`, STAT_LIMIT))?.name);
}

function unfinished(process: string, budgetMs: number): ExporterError {
  return new ExporterError(
    `reading the sockets of process ${process}: not finished within ${budgetMs / 1000} s`,
  );
}
