import { readFileSync } from 'node:fs';
import { ExporterError } from './errors.ts';
import { ifReadable } from './ifReadable.ts';

/**
 * Open files that Node.js takes to read the modules of the program side by side, and some more. Below 19 Node.js 20 does not get as
 * far as to say so.
 */
const FILES = 128;
/** Each request, and each network namespace, takes a few. */
const SERVING_FILES = 256;

const GIB = 1024 ** 3;
/** Virtual memory that Node.js 20 reserves and hardly uses. Below 0.8 GiB it does not get as far as to say so. */
const ADDRESS_SPACE = 1 * GIB;
/** With 11.6 GiB what serves runs, of which 10 GiB are for one WebAssembly memory of the HTTP client in Node.js. */
const SERVING_ADDRESS_SPACE = 12 * GIB;

/** Throws an ExporterError where the limits of this process (getrlimit(2)) let no mode of the program run. */
export function checkLimits(limits = readLimits()): void {
  checkFiles(limits, FILES);
  checkAddressSpace(limits, ADDRESS_SPACE);
}

/** Throws an ExporterError where they let a command run, but nothing serve. */
export function checkServingLimits(limits = readLimits()): void {
  checkFiles(limits, SERVING_FILES);
  checkAddressSpace(limits, SERVING_ADDRESS_SPACE);
}

function checkFiles(limits: string, needed: number): void {
  const files = limitOf(limits, 'Max open files');
  if (files >= needed) return;
  throw new ExporterError(
    `the limit of open files is ${files}: expected at least ${needed} (ulimit -n, or LimitNOFILE= in a systemd unit)`,
  );
}

function checkAddressSpace(limits: string, needed: number): void {
  const bytes = limitOf(limits, 'Max address space');
  if (bytes >= needed) return;
  throw new ExporterError(
    `the limit of address space is ${(bytes / GIB).toFixed(1)} GiB: expected at least ${needed / GIB} GiB, because Node.js reserves more than it ` +
      'uses (ulimit -v, or LimitAS= in a systemd unit; MemoryMax= limits what is used)',
  );
}

/** proc_pid_limits(5); nothing where that cannot be read. */
function readLimits(): string {
  return ifReadable(() => readFileSync('/proc/self/limits', 'latin1')) ?? '';
}

/** The soft limit, which is in force; Infinity where there is none. */
function limitOf(limits: string, name: string): number {
  const [, soft] = new RegExp(`^${name} +(\\d+) `, 'm').exec(limits) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
