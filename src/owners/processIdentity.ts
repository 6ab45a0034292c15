import { ifReadableNow } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { ownerOf } from './ownerName.ts';
import { processCgroup } from './processCgroup.ts';
import { parseProcessStat } from './processStat.ts';

/** What a process tells of the namespace it is in. A text that is not known is ''. */
export interface ProcessIdentity {
  readonly process: string;
  /** The first 12 digits of its container's id. */
  readonly container: string;
  readonly podUid: string;
}

export const UNKNOWN_IDENTITY: ProcessIdentity = { process: '', container: '', podUid: '' };

const STAT_LIMIT = 4096;

/** Throws an ExporterError where descriptors or memory are short: a namespace is named once. */
export function identifyProcess(procfs: string, pid: number): ProcessIdentity {
  const path = `${procfs}/${pid}/stat`;
  const stat = ifReadableNow(`reading ${path}`, () => readUpTo(path, STAT_LIMIT));
  const cgroup = processCgroup(procfs, pid);
  const owner = cgroup === undefined ? undefined : ownerOf(cgroup);
  return {
    process: (stat && parseProcessStat(stat)?.name) ?? '',
    container: owner?.containerId ?? '',
    podUid: owner?.podUid ?? '',
  };
}
