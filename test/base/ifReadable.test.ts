import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/base/errors.ts';
import { ifReadable, isRefused } from '../../src/base/ifReadable.ts';

describe('what a stranger controls and cannot be read', () => {
  it.each([
    'ENAMETOOLONG',
    'ELOOP',
    'EACCES',
    'EPERM',
    'EMFILE',
    'ENOMEM',
    'EIO',
    'ESRCH',
    'ENOENT',
    'ENODEV',
    'EINVAL',
  ])('is not there, whatever the errno: %s', (code) => {
    const thrown = Object.assign(new Error(code), { code });
    expect(
      ifReadable(() => {
        throw thrown;
      }),
    ).toBeUndefined();
    expect(isRefused(thrown)).toBe(code === 'EACCES' || code === 'EPERM');
  });

  it('is not there where the FFI library says so either', () => {
    expect(
      ifReadable(() => {
        throw new KernelError('getdents()', 36);
      }),
    ).toBeUndefined();
  });

  it('is no excuse for a defect', () => {
    expect(() =>
      ifReadable(() => {
        throw new TypeError('x is undefined');
      }),
    ).toThrow('x is undefined');
  });

  it('is what it is where it can be read', () => {
    expect(ifReadable(() => 7)).toBe(7);
  });
});
