import { expect, it } from 'vitest';
import { threadCpuClock } from '../../src/kernel/threadCpu.ts';

it('the CPU time of a thread goes on while it computes, and not while it waits', async () => {
  const clock = threadCpuClock();
  const before = clock();
  const until = performance.now() + 100;
  while (performance.now() < until);
  const computed = clock() - before;
  expect(computed).toBeGreaterThan(5);
  expect(computed).toBeLessThan(150);
  const waiting = clock();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(clock() - waiting).toBeLessThan(100);
});
