import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../src/base/errors.ts';
import { expectBpf, whyRefused } from '../../src/kernel/bpfRefusal.ts';

const { EPERM, EACCES, EINVAL, ENOSYS, ENOMEM } = constants.errno;

/** Of proc_pid_status(5). */
const status = (effective: string, seccomp = 0) => `CapEff:\t${effective}\nSeccomp:\t${seccomp}\n`;
const NONE = '0000000000000000';
const PERFMON = '0000004000000000';
const BPF = '0000008000000000';
const BPF_AND_PERFMON = '000000c000000000';
const SYS_ADMIN = '0000000000200000';

let sysfs: string;
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'port-exporter-sysfs-'));
  return () => rmSync(sysfs, { recursive: true });
});

function write(name: string, text: string): void {
  mkdirSync(dirname(join(sysfs, name)), { recursive: true });
  writeFileSync(join(sysfs, name), text);
}

describe('a kernel', () => {
  it.each(['6.1.0-18-amd64', '6.1.0', '6.10.1', '6.18.44', '7.0.0-rc1'])(
    'of %s has what is needed',
    (release) => {
      write('kernel/btf/vmlinux', '');
      expect(() => expectBpf(sysfs, release)).not.toThrow();
    },
  );

  it.each(['6.0.19', '5.15.0-100-generic', '5.17.0', '4.18.0-553.el8.x86_64', 'unknown'])(
    'of %s does not, and is told what would be needed',
    (release) => {
      write('kernel/btf/vmlinux', '');
      expect(() => expectBpf(sysfs, release)).toThrow(
        new ExporterError(`needs Linux 6.1 or later, this is ${release}`),
      );
    },
  );

  it('that was built without BTF is told so, with the file', () => {
    expect(() => expectBpf(sysfs, '6.12.9')).toThrow(
      new ExporterError(`the kernel has no BTF (${join(sysfs, 'kernel/btf/vmlinux')})`),
    );
  });
});

describe('why it was refused', () => {
  /** In the words of a log line. */
  const why = (errno: number, ofThread: string) =>
    errorLine(whyRefused(new KernelError('bpf(BPF_PROG_LOAD)', errno), sysfs, ofThread));
  const line = (reason: string, errno: number) =>
    `${reason}: ${new KernelError('bpf(BPF_PROG_LOAD)', errno).message}`;

  it.each([
    ['none of the capabilities', NONE, 'needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN'],
    ['only CAP_PERFMON', PERFMON, 'needs CAP_BPF, or CAP_SYS_ADMIN'],
    ['only CAP_BPF', BPF, 'needs CAP_PERFMON, or CAP_SYS_ADMIN'],
  ])('is what is missing of who has %s', (_, effective, reason) => {
    // EINVAL: what a program of this type is for the kernel without CAP_PERFMON.
    for (const errno of [EPERM, EACCES, EINVAL])
      expect(why(errno, status(effective))).toBe(line(reason, errno));
  });

  it('is missing privilege before it is a seccomp filter, or lockdown', () => {
    write('kernel/security/lockdown', 'none integrity [confidentiality]\n');
    expect(why(EPERM, status(NONE, 2))).toMatch(/^needs CAP_BPF and CAP_PERFMON/);
  });

  it.each([
    ['CAP_BPF and CAP_PERFMON', BPF_AND_PERFMON],
    ['CAP_SYS_ADMIN', SYS_ADMIN],
  ])('is somebody else where %s is held', (_, effective) => {
    expect(why(EPERM, status(effective))).toBe(line('a security module, or another user namespace', EPERM));
    expect(why(EPERM, status(effective, 2))).toBe(line('a seccomp filter', EPERM));
  });

  it('is lockdown where that is the reason, and not where it allows to read', () => {
    for (const errno of [EPERM, EINVAL]) {
      write('kernel/security/lockdown', 'none integrity [confidentiality]\n');
      expect(why(errno, status(SYS_ADMIN))).toBe(line('the kernel is locked down (confidentiality)', errno));
    }
    write('kernel/security/lockdown', 'none [integrity] confidentiality\n');
    expect(why(EPERM, status(SYS_ADMIN))).toMatch(/^a security module/);
  });

  it('is the filter, or the kernel, where there is no bpf(2)', () => {
    expect(why(ENOSYS, status(SYS_ADMIN, 2))).toBe(line('a seccomp filter', ENOSYS));
    expect(why(ENOSYS, status(NONE, 2))).toBe(line('a seccomp filter', ENOSYS));
    expect(why(ENOSYS, status(SYS_ADMIN))).toBe(line('the kernel has no bpf(2)', ENOSYS));
  });

  it('is that of this thread where none is given', () => {
    const { cause, message } = whyRefused(new KernelError('bpf(BPF_PROG_LOAD)', ENOSYS), sysfs) as Error;
    expect(message).toMatch(/^a seccomp filter$|^the kernel has no bpf\(2\)$/);
    expect(cause).toBeInstanceOf(KernelError);
  });

  it.each([
    new KernelError('bpf(BPF_MAP_CREATE)', ENOMEM),
    new KernelError('loading BPF programs ("invalid mem access")', EINVAL),
    new ExporterError('reading tables.json: damaged'),
  ])('cannot be told better than $message', (error) => {
    expect(whyRefused(error, sysfs, status(SYS_ADMIN))).toBe(error);
  });

  it('is not asked of a defect', () => {
    const defect = new TypeError('undefined is not a function');
    write('kernel/security/lockdown', 'none integrity [confidentiality]\n');
    expect(whyRefused(defect, sysfs, status(NONE))).toBe(defect);
  });
});
