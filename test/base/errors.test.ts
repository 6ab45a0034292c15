import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { errnoInWords, failureText, KernelError } from '../../src/base/errors.ts';

describe('an errno is shown in words, with its name', () => {
  it('of a system call', () => {
    const refused = new KernelError('bind()', constants.errno.EACCES);
    expect([refused.message, refused.code]).toEqual(['bind(): permission denied (EACCES)', 'EACCES']);
    expect(new KernelError('bpf()', 524).message).toBe('bpf(): unknown error (errno 524)');
  });

  it('of a file', () => {
    expect.assertions(1);
    try {
      readFileSync('/nowhere/file');
    } catch (thrown) {
      expect(failureText(thrown)).toBe('no such file or directory (ENOENT)');
    }
  });

  it('but what is none stays as it is', () => {
    expect(errnoInWords('ENOTANERRNO')).toBe('ENOTANERRNO');
    expect(failureText(new Error('no errno'))).toBe('no errno');
  });
});
