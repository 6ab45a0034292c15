import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { ALONE, LAST, MACHINE, MOCKING, OVER_BPF, PEERS } from './projects.ts';

// Above 1 on a slow machine: the emulated kernels of test/kernels/ set it.
const factor = Number(process.env['TEST_TIMEOUT_FACTOR'] ?? 1);

/** Files at a time that mostly wait: for programs to start, for samples and scrapes to come. */
const WAITING = Math.ceil(availableParallelism() * 1.5);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    projects: [
      project('unit', 0, {
        include: ['test/**/*.test.ts'],
        exclude: [...MACHINE, ...MOCKING, ...PEERS, ...ALONE, ...LAST],
        isPrivileged: false,
        // Most of these files take less time than a process of their own would.
        isolate: false,
      }),
      project('unit-mocking', 0, { include: MOCKING, isPrivileged: false }),
      project('machine', 1, {
        include: MACHINE,
        exclude: [...PEERS, ...ALONE, ...LAST],
        maxWorkers: WAITING,
      }),
      project('machine-bpf', 1, { include: OVER_BPF, maxWorkers: WAITING, env: { TEST_SOURCE: 'bpf' } }),
      project('peers', 1, {
        include: PEERS,
        maxWorkers: WAITING,
        retry: process.env['CI'] === 'true' ? 1 : 0,
      }),
      project('alone', 2, { include: ALONE, maxWorkers: 1 }),
      project('last', 3, { include: LAST, maxWorkers: 1 }),
    ],
  },
});

interface Project {
  readonly include: string[];
  readonly exclude?: string[];
  readonly isPrivileged?: boolean;
  readonly isolate?: boolean;
  readonly retry?: number;
  readonly maxWorkers?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** One that begins when those of a lower order have ended. */
function project(name: string, order: number, { isPrivileged = true, ...settings }: Project) {
  return {
    test: {
      name,
      // Live tests put their process into a network namespace of its own: threads would share it, forks do not.
      pool: 'forks' as const,
      maxWorkers: '100%',
      testTimeout: 60_000 * factor,
      hookTimeout: 60_000 * factor,
      sequence: { groupOrder: order },
      setupFiles: ['test/support/tidy.ts', ...(isPrivileged ? [] : ['test/support/unprivileged.ts'])],
      ...settings,
    },
  };
}
