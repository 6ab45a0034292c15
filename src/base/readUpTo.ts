import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Most of what is read in one go: larger than any of the files of a process. */
const CHUNK = 4000;

/**
 * The first `limit` bytes of a file at most. Unlike readFileSync this costs three system calls for a short file, and
 * takes no 64 KiB for one of /proc, whose size is shown as 0. A named pipe in its place is empty: opening it waits for no
 * writer. Throws what `node:fs` throws.
 */
export function readUpTo(path: string, limit: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    let buffer = Buffer.allocUnsafe(Math.min(limit, CHUNK));
    for (let filled = 0; ; ) {
      const length = readSync(fd, buffer, filled, buffer.length - filled, null);
      filled += length;
      if (length === 0 || filled >= limit) return buffer.subarray(0, filled);
      if (filled === buffer.length) {
        const larger = Buffer.allocUnsafe(Math.min(limit, buffer.length * 4));
        buffer.copy(larger);
        buffer = larger;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** The first `limit` lines of a text at most: what is bounded in bytes may still be millions of them. */
export function* linesOf(text: string, limit: number): Generator<string> {
  for (let from = 0, count = 0; count < limit; count++) {
    const end = text.indexOf('\n', from);
    yield text.slice(from, end < 0 ? undefined : end);
    if (end < 0) return;
    from = end + 1;
  }
}
