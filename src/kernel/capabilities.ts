import { readFileSync } from 'node:fs';
import { ifReadable } from '../base/ifReadable.ts';

/** Those that the exporter knows a use for: their bits in `include/uapi/linux/capability.h`. */
const BITS = { CAP_SYS_PTRACE: 19n, CAP_SYS_ADMIN: 21n } as const;

export type Capability = keyof typeof BITS;

/** Whether this thread has it in effect: `CapEff:` of proc_pid_status(5). It counts in its own user namespace only. */
export function holds(capability: Capability, status = readStatus()): boolean {
  const [, effective = '0'] = /^CapEff:\t([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${effective}`) >> BITS[capability]) & 1n) === 1n;
}

/** For a person: what was missing where the kernel denied something that takes `capability`. */
export function whyDenied(capability: Capability, status?: string): string {
  return holds(capability, status)
    ? `denied although ${capability} is held (a security module, or another user namespace)`
    : `needs ${capability}`;
}

function readStatus(): string {
  return ifReadable(() => readFileSync('/proc/thread-self/status', 'latin1')) ?? '';
}
