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
  const peaks = [child.pid, ...descendantsOf(child.pid)].map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return { peak: bytesOf(status, 'VmHWM'), shared: bytesOf(status, 'RssFile') };
  });
  const [own] = peaks;
  if (own === undefined || Number.isNaN(own.peak)) {
    throw new BenchError(`${child.spawnfile} ended before its memory was read`);
  }
  const sum = peaks.reduce((total, { peak, shared }) => total + peak - shared, 0);
  return sum + Math.max(...peaks.map(({ shared }) => shared));
}

function bytesOf(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}
