import { readFileSync } from 'node:fs';
import { ExporterError } from '../base/errors.ts';
import { ifReadable } from '../base/ifReadable.ts';
import { threadCpuTime } from './libc.ts';

/** → milliseconds on some clock that never goes back. */
export type Clock = () => number;

/**
 * CPU time of the calling thread, user and system: what a busy machine takes from it does not count. clock_gettime(2) with
 * CLOCK_THREAD_CPUTIME_ID; without the FFI library /proc/thread-self/schedstat (Documentation/scheduler/sched-stats.rst), which
 * is a tick behind; where neither is to be had, wall time.
 */
export function threadCpuClock(): Clock {
  try {
    const read = threadCpuTime();
    read();
    return read;
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
  }
  return readSchedstat() === undefined ? () => performance.now() : () => readSchedstat() ?? 0;
}

function readSchedstat(): number | undefined {
  const text = ifReadable(() => readFileSync('/proc/thread-self/schedstat', 'latin1'));
  const [, nanoseconds] = /^(\d+) /.exec(text ?? '') ?? [];
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6;
}
