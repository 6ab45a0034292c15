import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/base/errors.ts';
import { type Libc, loadLibc, SO_MAX_PACING_RATE } from '../../src/kernel/libc.ts';
import { bindOnLoopback } from '../../src/kernel/loopbackBind.ts';

describe('the question for a port', () => {
  it('is marked, so that who counts refused calls leaves it out', () => {
    const set: [option: number, value: bigint][] = [];
    const libc: Libc = {
      ...loadLibc(),
      setsockopt: (_, __, option, value) => void set.push([option, Buffer.from(value).readBigUInt64LE()]),
    };
    expect(bindOnLoopback(libc, 'udp', 4).error).toBeUndefined();
    expect(set).toEqual([[SO_MAX_PACING_RATE, 0x706f727465787072n]]);
  });

  it('is asked where the kernel knows no such mark', () => {
    const libc: Libc = {
      ...loadLibc(),
      setsockopt() {
        throw new KernelError('setsockopt()', constants.errno.ENOPROTOOPT);
      },
    };
    expect(bindOnLoopback(libc, 'tcp', 4)).toMatchObject({ error: undefined });
  });
});
