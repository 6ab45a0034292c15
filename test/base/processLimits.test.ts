import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkLimits, checkServingLimits } from '../../src/base/processLimits.ts';

const GIB = 1024 ** 3;

function limits(files: number | 'unlimited', addressSpace: number | 'unlimited'): string {
  return [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    `Max open files            ${String(files).padEnd(20)} 1048576              files     `,
    `Max address space         ${String(addressSpace).padEnd(20)} unlimited            bytes     `,
    '',
  ].join('\n');
}

describe('the limits of the process', () => {
  it('are those of the kernel, and enough for these tests', () => {
    expect(readFileSync('/proc/self/limits', 'latin1')).toMatch(/^Max address space +\w+ +\w+ +bytes/m);
    expect(() => checkLimits()).not.toThrow();
  });

  it.each([limits('unlimited', 'unlimited'), limits(128, GIB), ''])('let a command run: %j', (text) => {
    expect(() => checkLimits(text)).not.toThrow();
  });

  it('must allow 128 open files, and 256 to serve', () => {
    const refusal = (files: number, needed: number) =>
      `the limit of open files is ${files}: expected at least ${needed} (ulimit -n, or LimitNOFILE= in a systemd unit)`;
    expect(() => checkLimits(limits(127, 'unlimited'))).toThrow(refusal(127, 128));
    expect(() => checkServingLimits(limits(255, 'unlimited'))).toThrow(refusal(255, 256));
    expect(() => checkServingLimits(limits(256, 'unlimited'))).not.toThrow();
  });

  it('must allow 1 GiB of address space, and 12 GiB to serve', () => {
    expect(() => checkLimits(limits(1024, GIB - 1))).toThrow(
      'the limit of address space is 1.0 GiB: expected at least 1 GiB',
    );
    expect(() => checkServingLimits(limits(1024, 12 * GIB))).not.toThrow();
    expect(() => checkServingLimits(limits(1024, 4 * GIB))).toThrow(
      'the limit of address space is 4.0 GiB: expected at least 12 GiB, because Node.js reserves more than it uses',
    );
  });
});
