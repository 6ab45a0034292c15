import { readFileSync } from 'node:fs';

/** Milliseconds the main thread of a process has run (kernel: Documentation/scheduler/sched-stats.rst). */
export function threadMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}
