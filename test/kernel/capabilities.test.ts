import { describe, expect, it } from 'vitest';
import { holds, isFiltered, whyDenied } from '../../src/kernel/capabilities.ts';

const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\n`;
const ALL = status('000001ffffffffff');
const NONE = status('0000000000000000');
const PTRACE = status('0000000000080000');
const PTRACE_AND_READ = status('0000000000080004');
const PTRACE_AND_OVERRIDE = status('0000000000080002');
const PERFMON = status('0000004000000000');
const BPF = status('0000008000000000');
const BOTH = ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'] as const;

describe('a capability', () => {
  it('is held where its bit is set in CapEff', () => {
    expect(['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'].map((name) => holds(name as never, ALL))).toEqual([
      true,
      true,
    ]);
    expect(['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'].map((name) => holds(name as never, NONE))).toEqual([
      false,
      false,
    ]);
    expect(holds('CAP_SYS_PTRACE', PTRACE)).toBe(true);
    expect(holds('CAP_SYS_ADMIN', PTRACE)).toBe(false);
  });

  it('is held above the 32nd bit too', () => {
    const held = (text: string) => [holds('CAP_BPF', text), holds('CAP_PERFMON', text)];
    expect([ALL, NONE, BPF, PERFMON].map(held)).toEqual([
      [true, true],
      [false, false],
      [true, false],
      [false, true],
    ]);
    expect(whyDenied(['CAP_BPF', 'CAP_PERFMON'], BPF)).toBe('needs CAP_PERFMON');
    expect(whyDenied(['CAP_BPF', 'CAP_PERFMON'], PERFMON)).toBe('needs CAP_BPF');
  });

  it('is not held where /proc does not tell', () => {
    expect(holds('CAP_SYS_PTRACE', '')).toBe(false);
  });

  it('is asked for only of who lacks it', () => {
    expect(whyDenied(['CAP_SYS_PTRACE'], NONE)).toBe('needs CAP_SYS_PTRACE');
    expect(whyDenied(['CAP_SYS_PTRACE'], PTRACE)).toBe(
      'denied although CAP_SYS_PTRACE is held (a security module, or another user namespace)',
    );
  });

  it('is asked for where it is missing, not where another one is', () => {
    expect(whyDenied(BOTH, NONE)).toBe('needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH');
    expect(whyDenied(BOTH, PTRACE)).toBe('needs CAP_DAC_READ_SEARCH');
    expect(whyDenied(BOTH, PTRACE_AND_READ)).toBe(
      'denied although CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are held ' +
        '(a security module, or another user namespace)',
    );
  });

  it('to read any directory is not asked for of who may override all permissions', () => {
    expect(holds('CAP_DAC_READ_SEARCH', PTRACE)).toBe(false);
    expect(holds('CAP_DAC_READ_SEARCH', PTRACE_AND_READ)).toBe(true);
    expect(holds('CAP_DAC_READ_SEARCH', PTRACE_AND_OVERRIDE)).toBe(true);
  });
});

describe('a seccomp filter', () => {
  it('is one in mode 2: the strict mode lets nobody ask', () => {
    const filtered = (mode: number) => isFiltered(`CapEff:\t0\nSeccomp:\t${mode}\nSeccomp_filters:\t2\n`);
    expect([0, 1, 2].map(filtered)).toEqual([false, false, true]);
  });

  it('is none where the kernel knows of no seccomp, or /proc does not tell', () => {
    expect([NONE, '', 'Seccomp_filters:\t2\n'].map((text) => isFiltered(text))).toEqual([
      false,
      false,
      false,
    ]);
  });
});
