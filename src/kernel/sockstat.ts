import { constants } from 'node:os';
import { ExporterError, KernelError } from '../base/errors.ts';
import { readProcText } from './procfs.ts';

/** What the kernel counts of one network namespace without walking a table (net/ipv4/proc.c, net/ipv6/proc.c). */
export interface SocketTotals {
  /** Sockets of any family and protocol that are open, or whose connection still lives on. */
  readonly open: number;
  readonly timeWait: number;
  /** UDP sockets that have a port, both families. */
  readonly udp: number;
}

/** Totals of the calling thread's namespace, from `<net>/sockstat` and `sockstat6`. */
export function readSocketTotals(netDirectory: string): SocketTotals {
  const path = `${netDirectory}/sockstat`;
  const text = readProcText(path);
  if (text === undefined) throw new KernelError(`open() of ${path}`, constants.errno.ENOENT);
  return parseSockstat(text, readProcText(`${path}6`) ?? '', path);
}

/** `sockets: used 293`, `TCP: inuse 4 orphan 0 tw 2 alloc 5 mem 1`, `UDP: inuse 2 mem 0`, `UDP6: inuse 1`. */
export function parseSockstat(sockstat: string, sockstat6: string, path: string): SocketTotals {
  return {
    open: value(sockstat, 'sockets', 'used', path),
    timeWait: value(sockstat, 'TCP', 'tw', path),
    udp:
      value(sockstat, 'UDP', 'inuse', path) +
      (sockstat6 === '' ? 0 : value(sockstat6, 'UDP6', 'inuse', path)),
  };
}

function value(text: string, protocol: string, name: string, path: string): number {
  const [, fields = ''] = new RegExp(`^${protocol}:(.*)$`, 'm').exec(text) ?? [];
  const [, digits] = new RegExp(` ${name} (\\d{1,15})(?: |$)`).exec(fields) ?? [];
  if (digits === undefined) throw new ExporterError(`${path}: expected "${protocol}: … ${name} N"`);
  return Number(digits);
}
