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

/** proc_pid_stat(5): `pid (comm) state …`. The comm may hold `)`, blanks and newlines; what follows it may not. */
export function parseProcessStat(bytes: Buffer): ProcessStat | undefined {
  const open = bytes.indexOf('(');
  const close = bytes.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const startTime = bytes.toString('latin1', close + 2).split(' ', START_TIME + 1)[START_TIME];
  if (startTime === undefined || !/^\d+$/.test(startTime)) return undefined;
  return { name: printable(bytes.toString('utf8', open + 1, close), NAME_LIMIT), startTime };
}

/** Field 22 of the line; the first after the comm is field 3. */
const START_TIME = 22 - 3;
