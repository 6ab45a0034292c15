import { KernelError } from '../base/errors.ts';
import { loadKoffi } from './koffi.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from './libc.ts';

/** socketpair(2) of stream sockets, close-on-exec: two file descriptors. Throws a KernelError, and as `loadKoffi` does. */
export function socketPair(): [number, number] {
  const koffi = loadKoffi();
  const pair = new Int32Array(2);
  const call = koffi.load(null).func('int socketpair(int, int, int, int *)');
  if (call(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
    throw new KernelError('socketpair()', koffi.errno());
  }
  const [one = -1, other = -1] = pair;
  return [one, other];
}
