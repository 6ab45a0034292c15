import { KernelError } from '../base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import {
  AF_INET,
  AF_INET6,
  type Libc,
  SO_MAX_PACING_RATE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from './libc.ts';
import { sockaddrIn, sockaddrIn6Loopback } from './sockaddr.ts';

/** What the kernel said to one bind(loopback address, 0). */
export interface LoopbackBind {
  /** Wall time of bind(2) alone; undefined where there was no socket to bind. */
  readonly seconds: number | undefined;
  /** The errno by name, of socket(2) or bind(2); undefined where a port was given. */
  readonly error: string | undefined;
}

/**
 * Asks the kernel for one ephemeral port in the namespace of the calling thread, on 127.0.0.1 or ::1, and gives it back at
 * once: the socket is closed unconnected, which leaves nothing behind. Throws what is no refusal of the kernel's.
 */
export function bindOnLoopback(libc: Libc, protocol: 'tcp' | 'udp', family: 4 | 6): LoopbackBind {
  let fd: number | undefined;
  let startedAt: bigint | undefined;
  try {
    fd = libc.socket(family === 4 ? AF_INET : AF_INET6, protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM, 0);
    mark(libc, fd);
    const address = family === 4 ? LOOPBACK : LOOPBACK6;
    startedAt = process.hrtime.bigint();
    libc.bind(fd, address);
    return { seconds: secondsSince(startedAt), error: undefined };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { seconds: startedAt === undefined ? undefined : secondsSince(startedAt), error: error.code };
  } finally {
    if (fd !== undefined) libc.close(fd);
  }
}

const LOOPBACK = sockaddrIn(0x7f000001, 0);
const LOOPBACK6 = sockaddrIn6Loopback(0);

/**
 * QUESTION_MARK of `src/kernel/bpf/refusedBinds.h`: who counts refused calls leaves out these. A rate at which nobody sends,
 * of a socket that never sends.
 */
const MARK = new Uint8Array(new ArrayBuffer(8));
new DataView(MARK.buffer).setBigUint64(0, 0x706f727465787072n, HOST_IS_LITTLE_ENDIAN);

/** Where that is refused, at most somebody counts us too. */
function mark(libc: Libc, fd: number): void {
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, MARK);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
}

function secondsSince(startedAt: bigint): number {
  return Number(process.hrtime.bigint() - startedAt) / 1e9;
}
