import { once } from 'node:events';
import { connect } from 'node:net';
import { errorCode } from '../base/errors.ts';

/** Where to connect to. */
export interface ConnectTarget {
  /** An IP address, not a name. */
  readonly address: string;
  readonly port: number;
  /** An IP address of this machine to connect from; the kernel's choice without. */
  readonly from?: string;
  readonly timeoutMs: number;
}

/** Why nobody could be reached. `no_local_port`: the far end was not even asked. */
export type ConnectFailure = 'refused' | 'timeout' | 'unreachable' | 'no_local_port' | 'other';

/** How one connect() ended. */
export type ConnectOutcome =
  | { readonly connected: true; readonly seconds: number }
  | {
      readonly connected: false;
      readonly seconds: number;
      readonly reason: ConnectFailure;
      /** The errno by name, as connect(2) or bind(2) gave it. */
      readonly error: string;
    };

/**
 * One TCP connection, ended as soon as it stands, by a reset: so neither side keeps it in TIME_WAIT. Never rejects for
 * what the kernel or the far end says.
 */
export async function tcpConnect({ address, port, from, timeoutMs }: ConnectTarget): Promise<ConnectOutcome> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const socket = connect({
    ...{ host: address, port },
    ...(from === undefined ? {} : { localAddress: from }),
  });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) });
    return { connected: true, seconds: seconds() };
  } catch (thrown) {
    const error = isTimeout(thrown) ? 'ETIMEDOUT' : (errorCode(thrown) ?? 'EUNKNOWN');
    return { connected: false, seconds: seconds(), reason: reasonOf(error), error };
  } finally {
    // What comes after the reset is of no interest.
    socket.on('error', () => {});
    socket.resetAndDestroy();
  }
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError';
}

/** connect(2), bind(2); ICMP errors as ip(7) and ipv6(7) give them. */
function reasonOf(error: string): ConnectFailure {
  switch (error) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
    case 'ENONET':
    case 'EACCES':
    case 'EPERM':
      return 'unreachable';
    case 'EADDRNOTAVAIL':
    case 'EADDRINUSE':
    case 'EAGAIN':
      return 'no_local_port';
    default:
      return 'other';
  }
}
