import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the processes that a process started, in any of its threads (proc_tid_children(5)); none of one that ended. */
export function childrenOf(pid: number | undefined): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((tid) =>
      readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** And of those that these started. */
export function descendantsOf(pid: number | undefined): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Which of them runs this file of the build, `sampler.js`; 0 where none does. */
export function runningBelow(pid: number | undefined, file: string): number {
  return descendantsOf(pid).find((below) => commandLineOf(below).includes(`/dist/${file}\0`)) ?? 0;
}

/** Arguments end with a NUL byte. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
