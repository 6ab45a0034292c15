import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { TEST_SOURCE } from '../../support/samplingOptions.ts';

/** What samples are read from in this run; see test/support/samplingOptions.ts. */
export const READS_BUCKETS = TEST_SOURCE === 'bpf';

/** sock_diag shows sockets that only did bind() since 6.8; the kernel's bind buckets always do. */
export const KERNEL_SHOWS_BOUND_ONLY = READS_BUCKETS || kernelAtLeast(6, 8);

/** The kernel can be asked whether a port is blocked since 6.3 (IP_LOCAL_PORT_RANGE); its bind buckets always tell. */
export const KERNEL_TELLS_BLOCKED = READS_BUCKETS || kernelAtLeast(6, 3);

/** The programs that walk the kernel's tables need what it has since 6.1. */
export const BPF_READS_TABLES = kernelAtLeast(6, 1);

/** Before, nothing leads to the table of UDP. */
export const BPF_READS_UDP = kernelAtLeast(6, 2);

/** IP_LOCAL_PORT_RANGE: a socket may choose from a part of the range since 6.3. */
export const HAS_LOCAL_PORT_RANGE = kernelAtLeast(6, 3);

/** /proc/<pid>/fdinfo shows inodes, and takes no more than CAP_SYS_PTRACE, since 5.14. */
export const KERNEL_SHOWS_DESCRIPTOR_INODES = kernelAtLeast(5, 14);

/** A port that was bound and closed again is as free as before since 6.18. */
export const RELEASES_BOUND_PORTS = kernelAtLeast(6, 18);

/** Sockets of MPTCP can be made. */
export const HAS_MULTIPATH = hasSysctl('net.mptcp.enabled');

/** Factor by which an emulated kernel is slower. */
export const SLOWNESS = Number(process.env['TEST_TIMEOUT_FACTOR'] ?? 1);

/** Blocks this thread, as the system calls of these tests do. */
export function sleepMs(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Whether this kernel has it; `net.ipv4.tcp_tw_reuse_delay` exists since 6.14. */
export function hasSysctl(name: string): boolean {
  try {
    readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`);
    return true;
  } catch {
    return false;
  }
}

function kernelAtLeast(wantedMajor: number, wantedMinor: number): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
