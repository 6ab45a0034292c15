import { defineConfig } from 'vitest/config';

// Above 1 on a slow machine: the emulated kernels of test/kernels/ set it.
const factor = Number(process.env['TEST_TIMEOUT_FACTOR'] ?? 1);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // Live tests put their process into a network namespace of its own: threads would share it, forks do not.
    pool: 'forks',
    testTimeout: 30_000 * factor,
    hookTimeout: 60_000 * factor,
    // Hundreds of these tests have real peers that share a small machine: what fails there is asked once more, and reported.
    retry: process.env['CI'] === 'true' ? 1 : 0,
  },
});
