import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { describeOnDisposableKernel } from '../live/support/privilege.ts';
import { expectBpf, expectNetlinkInstead, numbersOverBpf, openSockets } from './support/sources.ts';

/** One way: what is locked down stays so until the next boot. */
function lockDown(mode: 'integrity' | 'confidentiality'): void {
  const path = '/sys/kernel/security/lockdown';
  if (!readFileSync(path, 'utf8').includes(`[${mode}]`)) writeFileSync(path, mode);
}

describeOnDisposableKernel('A kernel that is locked down', () => {
  it('for integrity is read by BPF as any other is', async () => {
    openSockets();
    const numbers = await numbersOverBpf();
    lockDown('integrity');
    await expectBpf(numbers);
  });

  it('for confidentiality refuses BPF: netlink takes over, with the same numbers, and one line says why', async () => {
    openSockets();
    const numbers = await numbersOverBpf();
    lockDown('confidentiality');
    await expectNetlinkInstead(numbers, 'the kernel is locked down (confidentiality): ');
  });
});
