import { readdirSync, readFileSync } from 'node:fs';
import { descendantsOf } from '../../e2e/support/processes.ts';

/** A process and all that came of it, at one moment. */
export interface Usage {
  readonly pids: readonly number[];
  /** Resident memory of the process itself, and of its descendants together, in MiB. */
  readonly ownMib: number;
  readonly childrenMib: number;
  /** Open descriptors, the same. */
  readonly ownFds: number;
  readonly childrenFds: number;
  /** CPU time of all of them, in clock ticks (proc_pid_stat(5)). */
  readonly ticks: number;
}

/** → undefined where the process is gone. */
export function usageOf(pid: number): Usage | undefined {
  const own = one(pid);
  if (own === undefined) return undefined;
  const children = descendantsOf(pid).flatMap((child) => {
    const usage = one(child);
    return usage === undefined ? [] : [{ ...usage, pid: child }];
  });
  const sum = (of: (usage: One) => number) => children.reduce((total, child) => total + of(child), 0);
  return {
    pids: [pid, ...children.map((child) => child.pid)],
    ownMib: own.mib,
    childrenMib: sum(({ mib }) => mib),
    ownFds: own.fds,
    childrenFds: sum(({ fds }) => fds),
    ticks: own.ticks + sum(({ ticks }) => ticks),
  };
}

interface One {
  readonly mib: number;
  readonly fds: number;
  readonly ticks: number;
}

function one(pid: number): One | undefined {
  try {
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (rss === undefined) return undefined;
    return { mib: Number(rss) / 1024, fds: readdirSync(`/proc/${pid}/fd`).length, ticks: ticksOf(pid) };
  } catch {
    return undefined;
  }
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
