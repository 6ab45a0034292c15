import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { ExporterError, errorCode } from '../base/errors.ts';
import { ifReadable, isRefused } from '../base/ifReadable.ts';
import { holds, isFiltered, whyDenied } from './capabilities.ts';
import { releaseAtLeast } from './release.ts';

/** Throws an ExporterError where this kernel cannot have what the programs need, whoever asks. */
export function expectBpf(sysfs: string, kernelRelease = release()): void {
  // inet_hashinfo.bhash2; the programs themselves would do with 5.17.
  if (!releaseAtLeast(kernelRelease, 6, 1))
    throw new ExporterError(`needs Linux 6.1 or later, this is ${kernelRelease}`);
  const btf = join(sysfs, 'kernel/btf/vmlinux');
  if (!existsSync(btf)) throw new ExporterError(`the kernel has no BTF (${btf})`);
}

/**
 * What the kernel's refusal means, where it can be told.
 *
 * @param status of this thread where undefined
 */
export function whyRefused(error: ExporterError, sysfs: string, status?: string): ExporterError;
export function whyRefused(error: unknown, sysfs: string, status?: string): unknown;
export function whyRefused(error: unknown, sysfs: string, status?: string): unknown {
  if (!(error instanceof ExporterError)) return error;
  const reason = reasonOf(error, sysfs, status);
  return reason === undefined ? error : new ExporterError(reason, { cause: error });
}

function reasonOf(error: ExporterError, sysfs: string, status?: string): string | undefined {
  if (errorCode(error) === 'ENOSYS')
    return isFiltered(status) ? 'a seccomp filter' : 'the kernel has no bpf(2)';
  const isAllowed =
    holds('CAP_SYS_ADMIN', status) || (holds('CAP_BPF', status) && holds('CAP_PERFMON', status));
  // Without CAP_PERFMON, programs of this type are EINVAL.
  if (!isAllowed && (isRefused(error) || errorCode(error) === 'EINVAL'))
    return `${whyDenied(['CAP_BPF', 'CAP_PERFMON'], status)}, or CAP_SYS_ADMIN`;
  const lockdown = ifReadable(() => readFileSync(join(sysfs, 'kernel/security/lockdown'), 'latin1'));
  if (lockdown?.includes('[confidentiality]') === true) return 'the kernel is locked down (confidentiality)';
  if (isRefused(error))
    return isFiltered(status) ? 'a seccomp filter' : 'a security module, or another user namespace';
  return undefined;
}
