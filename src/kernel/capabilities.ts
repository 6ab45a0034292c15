import { readFileSync } from 'node:fs';
import { ifReadable } from '../base/ifReadable.ts';

/**
 * Capabilities that the exporter knows a use for: their bits in `include/uapi/linux/capability.h`. CAP_DAC_OVERRIDE (1), which
 * containers have by default, allows all that CAP_DAC_READ_SEARCH does.
 */
const MASKS = {
  CAP_DAC_READ_SEARCH: (1n << 2n) | (1n << 1n),
  CAP_NET_ADMIN: 1n << 12n,
  CAP_SYS_PTRACE: 1n << 19n,
  CAP_SYS_ADMIN: 1n << 21n,
  CAP_PERFMON: 1n << 38n,
  CAP_BPF: 1n << 39n,
} as const;

export type Capability = keyof typeof MASKS;

/** Whether this thread has it in effect: `CapEff:` of proc_pid_status(5). It counts in its own user namespace only. */
export function holds(capability: Capability, status = readStatus()): boolean {
  const [, effective = '0'] = /^CapEff:\t([0-9a-f]+)$/m.exec(status) ?? [];
  return (BigInt(`0x${effective}`) & MASKS[capability]) !== 0n;
}

/** Whether this thread has any, in effect or in reserve: `CapPrm:` of proc_pid_status(5). */
export function holdsAny(status = readStatus()): boolean {
  const [, permitted = '0'] = /^CapPrm:\t([0-9a-f]+)$/m.exec(status) ?? [];
  return BigInt(`0x${permitted}`) !== 0n;
}

/** For a person: what was missing where the kernel denied something that takes all of these. */
export function whyDenied(capabilities: readonly Capability[], status = readStatus()): string {
  const missing = capabilities.filter((capability) => !holds(capability, status));
  if (missing.length > 0) return `needs ${missing.join(' and ')}`;
  const held = `${capabilities.join(' and ')} ${capabilities.length === 1 ? 'is' : 'are'} held`;
  return `denied although ${held} (a security module, or another user namespace)`;
}

/** Whether a seccomp filter decides which system calls this thread may make: `Seccomp:` of proc_pid_status(5). */
export function isFiltered(status = readStatus()): boolean {
  return /^Seccomp:\t2$/m.test(status);
}

function readStatus(): string {
  return ifReadable(() => readFileSync('/proc/thread-self/status', 'latin1')) ?? '';
}
