import { describe } from 'vitest';
import { isDisposable } from '../../kernels/disposable.ts';
import { cgroupRefusal } from './cgroups.ts';
import { BPF_READS_TABLES } from './kernel.ts';
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
  describeUnless(refusal && `no network namespace of its own: ${refusal}`, name, define);
}

/** As describeLive, for tests that need cgroups of their own as well. */
export function describeInCgroups(name: string, define: () => void): void {
  const noCgroups = refusal === undefined ? cgroupRefusal() : refusal;
  describeUnless(noCgroups && `no cgroups of its own: ${noCgroups}`, name, define);
}

/** As describeLive, for tests that read the kernel's tables by BPF; of a kernel that is too old for that nothing is to be proven. */
export function describeOverBpf(name: string, define: () => void): void {
  if (BPF_READS_TABLES) describeLive(name, define);
  else describe.skip(`${name} (skipped: BPF takes Linux 6.1)`, define);
}

/** As describeOverBpf, for tests that change the kernel for good: never that of a machine that somebody works on. */
export function describeOnDisposableKernel(name: string, define: () => void): void {
  if (isDisposable()) describeOverBpf(name, define);
  else describe.skip(`${name} (skipped: changes the kernel for good, see npm run test:kernels)`, define);
}

function describeUnless(reason: string | undefined, name: string, define: () => void): void {
  if (reason !== undefined && process.env['CI'] !== 'true')
    describe.skip(`${name} (skipped: ${reason})`, define);
  else describe(name, define);
}
