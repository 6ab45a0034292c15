import { describe, expect, it } from 'vitest';
import { holds, whyDenied } from '../../src/kernel/capabilities.ts';

const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\n`;
const ALL = status('000001ffffffffff');
const NONE = status('0000000000000000');
const PTRACE = status('0000000000080000');

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

  it('is not held where /proc does not tell', () => {
    expect(holds('CAP_SYS_PTRACE', '')).toBe(false);
  });

  it('is asked for only of who lacks it', () => {
    expect(whyDenied('CAP_SYS_PTRACE', NONE)).toBe('needs CAP_SYS_PTRACE');
    expect(whyDenied('CAP_SYS_PTRACE', PTRACE)).toBe(
      'denied although CAP_SYS_PTRACE is held (a security module, or another user namespace)',
    );
  });
});
