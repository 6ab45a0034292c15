import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { strerror } from './libc.ts';

/** What other programs say to an errno given by its name, `Connection refused`; the name itself where it is none. */
export function errnoText(code: string): string {
  const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1];
  if (errno === undefined) return code;
  try {
    return strerror(errno);
  } catch {
    // Without the FFI library.
    return getSystemErrorMap().get(-errno)?.[1] ?? code;
  }
}
