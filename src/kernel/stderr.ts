import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { errorCode } from '../base/errors.ts';
import { type Attempt, LineQueue } from '../base/lineQueue.ts';
import { canWrite, loadLibc, MSG_DONTWAIT, MSG_NOSIGNAL } from './libc.ts';

const STDERR = 2;
/** POSIX guarantees 512 and Linux 4096: of so many bytes a pipe takes all or, where it is full, none (pipe(7)). */
const PIPE_BUF = 4096;
/** What a process that ends waits for a reader that is slow. */
const LAST_WORDS_MS = 500;

let queue: LineQueue | undefined;

/**
 * stderr, as lines that never wait for whoever reads them. What still waits when the process ends has half a second; a
 * process that ends without its `exit` event calls `flushStderr` itself.
 */
export function stderrLines(): LineQueue {
  if (queue === undefined) {
    queue = new LineQueue(openStderr());
    process.on('exit', flushStderr);
  }
  return queue;
}

/** Lines dropped so far. */
export function droppedStderrLines(): number {
  return queue?.dropped ?? 0;
}

/** Gives what waits for stderr half a second. */
export function flushStderr(): void {
  queue?.flush(LAST_WORDS_MS);
}

/**
 * A way to write that does not wait. O_NONBLOCK of descriptor 2 itself is left alone: that flag belongs to the open file
 * description, which the shell and other programs may share, and they would fail where they waited before.
 *
 * - A regular file waits for nobody, nor do devices such as /dev/null; they take it as it is, with its offset.
 * - A pipe or terminal is opened once more (proc_pid_fd(5)), which makes a description of its own.
 * - A socket, such as the one to the journal, cannot be opened so, but has a flag for each message.
 * - A pipe of another user's must not be opened again: it is asked whether it has room, and given no more than that. Only
 *   there a program that shares it could still fill it in between, and this one would wait.
 * - A socket or such a pipe without the FFI library is written to as it is, and waited for.
 */
function openStderr(): Attempt {
  const stat = fstatSync(STDERR);
  if (stat.isSocket()) return ifLoaded(sending) ?? writingTo(STDERR);
  if (!stat.isFIFO() && !isatty(STDERR)) return writingTo(STDERR);
  return reopened() ?? ifLoaded(asking) ?? writingTo(STDERR);
}

function writingTo(fd: number): Attempt {
  return unlessFull((bytes) => writeSync(fd, bytes));
}

function reopened(): Attempt | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return writingTo(openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK | O_NOCTTY));
  } catch {
    return undefined;
  }
}

function sending(): Attempt {
  const libc = loadLibc();
  return unlessFull((bytes) => libc.send(STDERR, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
}

function asking(): Attempt {
  const hasRoom = canWrite(STDERR);
  return unlessFull((bytes) => (hasRoom() ? writeSync(STDERR, bytes.subarray(0, PIPE_BUF)) : 0));
}

function ifLoaded(open: () => Attempt): Attempt | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}

function unlessFull(write: Attempt): Attempt {
  return (bytes) => {
    try {
      return write(bytes);
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return 0;
      throw error;
    }
  };
}
