import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { descendantsOf } from '../e2e/support/processes.ts';
import { BenchError } from './benchError.ts';

/**
 * The most memory a running program and all that it started ever held at once, in bytes: the sum of each one's peak (VmHWM), in
 * which what each maps of files now (RssFile) counts once, for they map the same. The peaks need not be of one moment: it is at
 * most more than was held.
 */
export function peakMemory(child: ChildProcess): number {
  return memory(child, 'VmHWM');
}

/** What they hold now. */
export function heldMemory(child: ChildProcess): number {
  return memory(child, 'VmRSS');
}

function memory(child: ChildProcess, field: 'VmHWM' | 'VmRSS'): number {
  const each = [child.pid, ...descendantsOf(child.pid)].map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return { bytes: bytesOf(status, field), shared: bytesOf(status, 'RssFile') };
  });
  const [own] = each;
  if (own === undefined || Number.isNaN(own.bytes)) {
    throw new BenchError(`${child.spawnfile} ended before its memory was read`);
  }
  const sum = each.reduce((total, { bytes, shared }) => total + bytes - shared, 0);
  return sum + Math.max(...each.map(({ shared }) => shared));
}

/** The most memory that the one process of it ever held whose command line has `word`, in bytes. */
export function peakMemoryOf(child: ChildProcess, word: string): number {
  const [found, ...more] = descendantsOf(child.pid).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word),
  );
  if (found === undefined || more.length > 0)
    throw new BenchError(`${child.spawnfile} has not one process ${word}`);
  return bytesOf(readFileSync(`/proc/${found}/status`, 'utf8'), 'VmHWM');
}

function bytesOf(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}
