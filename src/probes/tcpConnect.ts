import { isIPv6, Socket } from 'node:net';
import { errorCode, KernelError } from '../base/errors.ts';
import { openClientSocket } from '../kernel/clientSocket.ts';
import { type Libc, loadLibc } from '../kernel/libc.ts';
import { hasSourceAddress } from './hasSourceAddress.ts';

/** Where to connect to. */
export interface ConnectTarget {
  /** An IP address, not a name. */
  readonly address: string;
  readonly port: number;
  /** An IP address of this machine and of the same family to connect from; the kernel's choice without. */
  readonly from?: string;
  readonly timeoutMs: number;
  /** Ends it early, as ECANCELED. */
  readonly signal?: AbortSignal;
}

/**
 * Why nobody could be reached. With `no_local_port` and `no_source_address` the far end was not even asked: no port is
 * left, or this machine has no address to come from. Both are EADDRNOTAVAIL.
 */
export type ConnectFailure =
  | 'refused'
  | 'timeout'
  | 'unreachable'
  | 'no_local_port'
  | 'no_source_address'
  | 'other';

/** How one connect() ended. */
export type ConnectOutcome =
  | { readonly connected: true; readonly seconds: number }
  | {
      readonly connected: false;
      readonly seconds: number;
      readonly reason: ConnectFailure;
      /** The errno by name, as connect(2) or bind(2) gave it; ETIMEDOUT also for the timeout. */
      readonly error: string;
    };

/**
 * One TCP connection, ended as soon as it stands, by a reset: so neither side keeps it in TIME_WAIT. Whatever the kernel
 * or the far end says is an outcome, and nothing is left open when there is one.
 *
 * @param withLibc whether the C library may be used where it can be. Without, a source address is bound together with a
 *   port, which meanwhile nobody else can have.
 */
export async function tcpConnect(target: ConnectTarget, { withLibc = true } = {}): Promise<ConnectOutcome> {
  const libc = withLibc ? libcIfAny() : undefined;
  const startedAt = performance.now();
  let refusal = await refusalOf(target, libc);
  for (let again = 0; refusal === REACHED_ITSELF && again < MOST_SELF_CONNECTS; again++) {
    refusal = await refusalOf(target, libc);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  if (refusal === undefined) return { connected: true, seconds };
  const reason = await reasonOf(refusal, target);
  return { connected: false, seconds, reason, error: refusal.error };
}

/** Which call said no, and its errno. */
interface Refusal {
  readonly call: 'bind' | 'connect';
  readonly error: string;
}

/**
 * On an address of this machine the local port that the kernel chooses may be the very port asked for: then a socket's
 * SYN meets itself, and it is connected to itself (simultaneous open, RFC 9293, 3.5). A port that is listened on is not
 * chosen, so nobody is there; but a firewall may lead another connection to somebody.
 */
const REACHED_ITSELF: Refusal = { call: 'connect', error: 'ECONNREFUSED' };

/** In a row: that of one in 28 232 by chance, which is more often the fewer ports there are. */
const MOST_SELF_CONNECTS = 4;

async function refusalOf(target: ConnectTarget, libc: Libc | undefined): Promise<Refusal | undefined> {
  const { address, port, from, timeoutMs, signal } = target;
  let socket: Socket;
  try {
    socket = newSocket(target, libc);
  } catch (thrown) {
    if (!(thrown instanceof KernelError)) throw thrown;
    return { call: 'bind', error: thrown.code };
  }
  let timer: NodeJS.Timeout | undefined;
  let cancel = () => {};
  try {
    return await new Promise<Refusal | undefined>((resolve) => {
      socket.once('connect', () => resolve(isOwnEnd(socket) ? REACHED_ITSELF : undefined));
      // Stays: what comes after the end is of no interest.
      socket.on('error', (error) => {
        const call = 'syscall' in error && error.syscall === 'bind' ? 'bind' : 'connect';
        resolve({ call, error: errorCode(error) ?? 'EUNKNOWN' });
      });
      const giveUp = () => resolve({ call: 'connect', error: 'ETIMEDOUT' });
      // Where this thread itself was late an answer may be waiting, which the event loop reads before it gets to that.
      timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
      cancel = () => resolve({ call: 'connect', error: 'ECANCELED' });
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted) cancel();
      const bound = libc === undefined && from !== undefined ? { localAddress: from } : {};
      socket.connect({ host: address, port, ...bound });
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    // With the C library's socket any close is a reset. Node's own would wait with that until the connection stands.
    if (libc === undefined && !socket.connecting && !socket.destroyed) socket.resetAndDestroy();
    else socket.destroy();
  }
}

function isOwnEnd({ localAddress, localPort, remoteAddress, remotePort }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

function newSocket({ address, from }: ConnectTarget, libc: Libc | undefined): Socket {
  if (libc === undefined) return new Socket();
  const fd = openClientSocket(libc, isIPv6(address) ? 6 : 4, from);
  // Not to be read from before it is connected, which would be an error; and nobody sends anything that matters.
  return new Socket({ fd, readable: false, writable: true });
}

function libcIfAny(): Libc | undefined {
  try {
    return loadLibc();
  } catch {
    return undefined;
  }
}

/** connect(2), bind(2); routes as in ip-route(8); ICMP errors as the kernel translates them (net/ipv4/icmp.c). */
async function reasonOf({ call, error }: Refusal, { address, from }: ConnectTarget): Promise<ConnectFailure> {
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
    case 'EINVAL':
      // What a blackhole route tells local senders.
      return call === 'connect' ? 'unreachable' : 'other';
    case 'EADDRINUSE':
      return 'no_local_port';
    case 'EADDRNOTAVAIL':
      if (call === 'bind') return 'no_source_address';
      // Who has bound a source address has one.
      if (from !== undefined || (await hasSourceAddress(address))) return 'no_local_port';
      return 'no_source_address';
    default:
      return 'other';
  }
}
