import { readFileSync } from 'node:fs';
import { ExporterError } from '../base/errors.ts';
import { ifReadable } from '../base/ifReadable.ts';
import { bootTime } from './libc.ts';

/*
 * Which clock is for what:
 *
 * - Date.now() is for showing. It is set forward and back by people and by NTP: nothing is decided by it, and no age is
 *   taken from it.
 * - monotonicMs() is for what this process does or waits for: durations, deadlines, whether samples still arrive. Timers run
 *   by the same clock. It stands still while the machine is suspended, so nothing is late because of that.
 * - bootTimeMs() is for how old data is. It goes on while the machine is suspended.
 */

/** CLOCK_MONOTONIC (clock_gettime(2)) in milliseconds, since this thread began: no other thread has the same zero. */
export function monotonicMs(): number {
  return performance.now();
}

let read: (() => number) | undefined;

/** CLOCK_BOOTTIME (clock_gettime(2)) in milliseconds: the same in all threads and processes. */
export function bootTimeMs(): number {
  read ??= openBootTime();
  return read();
}

/**
 * Without the FFI library, /proc/uptime (proc_uptime(5)), which has the same clock to 10 ms; where neither is to be had, one
 * that stands still while the machine is suspended.
 */
export function openBootTime(open: typeof bootTime = bootTime): () => number {
  try {
    const clock = open();
    clock();
    return clock;
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
  }
  return readUptime() === undefined ? monotonicMs : () => readUptime() ?? 0;
}

function readUptime(): number | undefined {
  const text = ifReadable(() => readFileSync('/proc/uptime', 'latin1'));
  const [, seconds] = /^(\d+\.\d+) /.exec(text ?? '') ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
