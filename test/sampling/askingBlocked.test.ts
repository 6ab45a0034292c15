import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { KernelError } from '../../src/base/errors.ts';
import { BlockedPortQuestions } from '../../src/kernel/blockedPorts.ts';
import type { Libc } from '../../src/kernel/libc.ts';
import { askingBlocked } from '../../src/sampling/askingBlocked.ts';
import { Canary } from '../../src/sampling/canary.ts';

const { EADDRNOTAVAIL, EINPROGRESS, ENOPROTOOPT } = constants.errno;

/** A kernel that answers connect() so: 0, or an errno. */
function kernel(answer: (call: number) => number, refused?: string) {
  const calls = { connect: 0, open: 0, closed: 0 };
  const libc = {
    socket: () => ++calls.open,
    close: () => void calls.closed++,
    bind() {},
    setsockopt() {
      if (refused !== undefined) throw new KernelError('setsockopt()', ENOPROTOOPT);
    },
    connect() {
      const errno = answer(calls.connect++);
      if (errno !== 0) throw new KernelError('connect()', errno);
    },
  } as unknown as Libc;
  return { calls, libc, canary: new Canary(libc, () => ({ tcp: true, udp: true })) };
}

it('opens nothing where nobody asks, and closes what it opened even where the asker fails', () => {
  const { calls, canary } = kernel(() => 0);
  expect(askingBlocked(canary, () => 'done')).toBe('done');
  expect(calls.open).toBe(0);
  expect(() =>
    askingBlocked(canary, (isBlocked) => {
      isBlocked?.(40_000);
      throw new Error('elsewhere');
    }),
  ).toThrow('elsewhere');
  expect([calls.open, calls.closed]).toEqual([1, 1]);
});

it('a port that connect() is given is free, and given back; one that is refused is blocked', () => {
  const { calls, libc } = kernel((call) => (call < 2 ? 0 : EADDRNOTAVAIL));
  const questions = new BlockedPortQuestions(libc);
  expect([questions.isBlocked(40_000), questions.isBlocked(40_001)]).toEqual([false, true]);
  expect(calls.connect).toBe(3);
});

it('a connect() that was not held back sent a packet: it is the last one, of every sample', () => {
  const { calls, canary } = kernel(() => EINPROGRESS);
  for (let sample = 0; sample < 3; sample++) {
    askingBlocked(canary, (isBlocked) => {
      expect([isBlocked?.(40_000), isBlocked?.(40_001)]).toEqual([undefined, undefined]);
    });
  }
  expect(calls).toEqual({ connect: 1, open: 1, closed: 1 });
});

it('a kernel that does not know the options is asked nothing, and nothing stays open', () => {
  const { calls, canary } = kernel(() => 0, 'before Linux 6.3');
  askingBlocked(canary, (isBlocked) => {
    expect([isBlocked?.(40_000), isBlocked?.(40_001)]).toEqual([undefined, undefined]);
  });
  expect(calls).toEqual({ connect: 0, open: 1, closed: 1 });
});

it('a sample asks at most 4096 times', () => {
  const { canary } = kernel(() => 0);
  askingBlocked(canary, (isBlocked) => {
    const answers = Array.from({ length: 5000 }, (_, port) => isBlocked?.(port));
    expect(answers.filter((answer) => answer === false)).toHaveLength(4096);
    expect(answers.at(-1)).toBeUndefined();
  });
});

it('where no kernel is asked there is no way to', () => {
  askingBlocked(undefined, (isBlocked) => expect(isBlocked).toBeUndefined());
});
