import { release } from 'node:os';
import { KernelError } from '../../base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { AF_INET, type Libc, SOCK_STREAM } from '../../kernel/libc.ts';
import type { Visit } from '../record.ts';

/**
 * Whether a dump shows sockets that did nothing but bind(): binds one and looks for it. Where none can be bound the
 * kernel's version decides (since 6.8). Throws an ExporterError where the dump is refused.
 */
export function bindingShows(libc: Libc, source: { tcpBoundOnly(visit: Visit): void }): boolean {
  const fd = openSocket(libc);
  try {
    const port = fd === undefined ? undefined : bindSomewhere(libc, fd);
    let shown = false;
    source.tcpBoundOnly((record) => {
      shown ||= record.family === 4 && record.local0 === PROBE_ADDRESS && record.localPort === port;
    });
    return port === undefined ? releaseAtLeast(release(), 6, 8) : shown;
  } finally {
    if (fd !== undefined) libc.close(fd);
  }
}

/** A TCP socket, or undefined where a sandbox permits none. */
function openSocket(libc: Libc): number | undefined {
  try {
    return libc.socket(AF_INET, SOCK_STREAM, 0);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** 127.83.68.13: any loopback address but the usual one, so that nobody's bind() meets ours. */
const PROBE_ADDRESS = 0x7f53440d;

/**
 * An explicit port, below every usual ephemeral range: one chosen by bind(0) could be a port that others connect from,
 * and kernels before 6.18 would keep that blocked after we have gone.
 */
function bindSomewhere(libc: Libc, fd: number): number | undefined {
  for (let port = 1031; port < 1031 + 16; port++) {
    try {
      libc.bind(fd, sockaddrIn(PROBE_ADDRESS, port));
      return port;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // Taken, or no loopback address in this namespace: the next one, or the version, tells.
    }
  }
  return undefined;
}

/** struct sockaddr_in: u16 family, be16 port, be32 address, 8 bytes of nothing. */
function sockaddrIn(address: number, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, port);
  view.setUint32(4, address);
  return bytes;
}

/** `6.12.9+deb13-amd64` is at least 6.8. */
export function releaseAtLeast(kernelRelease: string, major: number, minor: number): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? [];
  if (first === undefined || second === undefined) return false;
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}
