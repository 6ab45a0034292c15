import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Descriptors this process may open. Node.js raises its own to the hard limit. */
export function raiseDescriptorLimit(needed: number): void {
  const hard = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (Number(hard) >= needed) return;
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${needed}:${needed}`]);
}
