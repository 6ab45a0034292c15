import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode, KernelError } from '../base/errors.ts';

/**
 * The text of one sysctl, `net/ipv4/ip_local_port_range`, without its newline; undefined where this kernel has no such
 * file. `/proc/sys/net` shows the network namespace of the thread that reads, so this is synchronous: libuv's pool
 * threads would answer for another one.
 */
export function readSysctl(procfs: string, name: string): string | undefined {
  return readProcText(sysctlPath(procfs, name))?.trimEnd();
}

/** The whole text of a small file of /proc; undefined where there is no such file. */
export function readProcText(path: string): string | undefined {
  const text = readTextOf(path);
  observer?.(path, text);
  return text;
}

let observer: ((path: string, text: string | undefined) => void) | undefined;

/** Calls back with every text that this thread reads from now on; undefined ends that. For a recording. */
export function observeTexts(next: typeof observer): void {
  observer = next;
}

function readTextOf(path: string): string | undefined {
  const fd = openIfExists(path);
  if (fd === undefined) return undefined;
  try {
    const text = readWhole(fd, path, SHORT) ?? readWhole(fd, path, LONG);
    if (text === undefined) {
      throw new ExporterError(`read() of ${path}: exceeds ${LONG.length} bytes`);
    }
    return text;
  } finally {
    closeSync(fd);
  }
}

export function sysctlPath(procfs: string, name: string): string {
  return join(procfs, 'sys', name);
}

/**
 * The directory with this thread's socket tables. `<procfs>/net` is `self/net`, the main thread's, and so the wrong
 * namespace in another thread that entered one; it is the last resort, for a plain directory that looks like /proc.
 */
export function netDirectory(procfs: string): string {
  const candidates = ['thread-self/net', 'self/net'].map((name) => join(procfs, name));
  return candidates.find((path) => existsSync(path)) ?? join(procfs, 'net');
}

/** A descriptor for reading, or undefined where there is no such file. */
export function openIfExists(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined;
    throw refused(`open() of ${path}`, thrown);
  }
}

/**
 * Reads a file from its start through one buffer and hands over each piece as it comes; `take` returns false to stop.
 * Positions are given with every read, so an open descriptor can be streamed again: the kernel writes the table anew.
 */
export function streamFile(
  fd: number,
  path: string,
  buffer: Uint8Array,
  take: (chunk: Uint8Array) => boolean,
): void {
  for (let position = 0; ; ) {
    const length = readAt(fd, path, buffer, 0, position);
    if (length === 0) return;
    position += length;
    if (!take(buffer.subarray(0, length))) return;
  }
}

/** Longest sysctl: `ip_local_reserved_ports` with every other port in it has 186 KiB. Reads are synchronous: one serves all. */
const LONG = Buffer.allocUnsafe(256 * 1024);
/** Long enough for nearly all: the kernel clears as much memory as a read of a sysctl asks for. */
const SHORT = LONG.subarray(0, 4096);

/**
 * `proc_do_large_bitmap` of kernel/sysctl.c answers the first read() only and drops what did not fit into it, without a
 * word: readFileSync, which reads 64 KiB at a time, would lose the end of a long list. What fills the buffer may be cut
 * off.
 *
 * @returns undefined where the buffer is too short
 */
function readWhole(fd: number, path: string, buffer: Buffer): string | undefined {
  for (let filled = 0; filled < buffer.length; ) {
    const length = readAt(fd, path, buffer, filled, filled);
    if (length === 0) return buffer.toString('latin1', 0, filled);
    filled += length;
  }
  return undefined;
}

function readAt(fd: number, path: string, buffer: Uint8Array, offset: number, position: number): number {
  try {
    return readSync(fd, buffer, offset, buffer.length - offset, position);
  } catch (thrown) {
    throw refused(`read() of ${path}`, thrown);
  }
}

function refused(what: string, thrown: unknown): unknown {
  const errno = thrown instanceof Error && 'errno' in thrown ? thrown.errno : undefined;
  return typeof errno === 'number' ? new KernelError(what, -errno) : thrown;
}
