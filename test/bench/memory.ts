import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BenchError } from './benchError.ts';

/** The most memory a running program ever held at once (VmHWM), in bytes. */
export function peakMemory(child: ChildProcess): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
  if (kibibytes === undefined) throw new BenchError(`${child.spawnfile} ended before its memory was read`);
  return Number(kibibytes) * 1024;
}
