import { describe } from 'vitest';
import { enterFreshNamespace } from './posix.ts';

/** Why network namespaces cannot be made here; undefined where they can. */
const refusal = tryNamespace();

function tryNamespace(): string | undefined {
  try {
    enterFreshNamespace()();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/**
 * A group of tests that need network namespaces of their own (CAP_SYS_ADMIN). Skipped by name without it; where CI is
 * true that is a failure, because nothing would then prove the numbers.
 */
export function describeLive(name: string, define: () => void): void {
  if (refusal !== undefined && process.env['CI'] !== 'true') {
    describe.skip(`${name} (skipped: no network namespace of its own: ${refusal})`, define);
  } else {
    describe(name, define);
  }
}
