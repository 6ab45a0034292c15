import { endianness } from 'node:os';
import { ExporterError } from '../base/errors.ts';
import { AF_UNIX, type Libc, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_DGRAM } from '../kernel/libc.ts';

/** Says a state to the service manager: assignments as in sd_notify(3), one per line. Throws an ExporterError. */
export type Send = (state: string) => void;

/**
 * A socket to the service manager's own, at `path` of the file system or of the abstract namespace (`@...`). Every
 * message is one datagram and never waits: one that the manager has no room for is an error. Throws an ExporterError.
 */
export function openNotifySocket(path: string, libc: Libc): Send {
  const address = unixAddress(path);
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  // Not connected: a manager that was replaced has another socket of the same name.
  return (state) => void libc.sendto(fd, Buffer.from(state), MSG_DONTWAIT | MSG_NOSIGNAL, address);
}

/** sun_path of struct sockaddr_un (unix(7)). */
const LONGEST_PATH = 108;

/** unix(7): a path ends with a NUL byte; an abstract name begins with one, and its length is all that ends it. */
function unixAddress(path: string): Uint8Array {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (!(isAbstract || path.startsWith('/')) || name.length > LONGEST_PATH) {
    throw new ExporterError(
      `NOTIFY_SOCKET: invalid Unix socket address ${JSON.stringify(path)}: expected /PATH or @NAME of at most ${LONGEST_PATH - 1} bytes`,
    );
  }
  const address = Buffer.alloc(2 + name.length);
  if (endianness() === 'LE') address.writeUInt16LE(AF_UNIX);
  else address.writeUInt16BE(AF_UNIX);
  name.copy(address, 2);
  return address;
}
