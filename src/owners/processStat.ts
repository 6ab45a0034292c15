import { printable } from '../base/printable.ts';

/** TASK_COMM_LEN allows 15 bytes; each may take six characters when it is made visible. */
const NAME_LIMIT = 64;

/** What `/proc/<pid>/stat` says of a process. */
export interface ProcessStat {
  /** `comm`, fit for a label: it may hold any bytes. */
  readonly name: string;
  /** Clock ticks from boot to its start, as written: with the pid it names one process for ever. */
  readonly startTime: string;
}

export function parseProcessStat(bytes: Buffer): ProcessStat | undefined {
  const { open, close, fields } = split(bytes);
  const startTime = fields[START_TIME];
  if (startTime === undefined || !/^\d+$/.test(startTime)) return undefined;
  return { name: printable(bytes.toString('utf8', open + 1, close), NAME_LIMIT), startTime };
}

/** What a process does with the processor. */
export interface CpuUse {
  /** Whether it runs, or waits for nothing but a processor. */
  readonly isRunnable: boolean;
  /** Milliseconds, in user and kernel mode. */
  readonly milliseconds: number;
}

/** The same line's state, utime and stime. */
export function parseCpuUse(bytes: Buffer): CpuUse | undefined {
  const { fields } = split(bytes);
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  return Number.isFinite(ticks)
    ? { isRunnable: fields[0] === 'R', milliseconds: ticks * TICK_MS }
    : undefined;
}

/** proc_pid_stat(5): `pid (comm) state …`. The comm may hold `)`, blanks and newlines; what follows it may not. */
function split(bytes: Buffer): { open: number; close: number; fields: readonly string[] } {
  const open = bytes.indexOf('(');
  const close = bytes.lastIndexOf(')');
  if (open < 0 || close < open) return { open, close, fields: [] };
  return { open, close, fields: bytes.toString('latin1', close + 2).split(' ', START_TIME + 1) };
}

/** Fields 14, 15 and 22 of the line; the first after the comm is field 3. */
const UTIME = 14 - 3;
const STIME = 15 - 3;
const START_TIME = 22 - 3;

/** USER_HZ is 100 on every architecture that Node runs on (`include/asm-generic/param.h`). */
const TICK_MS = 10;
