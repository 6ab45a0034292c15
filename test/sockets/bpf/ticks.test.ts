import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ticksPerSecond } from '../../../src/sockets/bpf/ticks.ts';

let procfs: string;
beforeEach(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-ticks-'));
  mkdirSync(pathOf(''), { recursive: true });
  return () => rmSync(procfs, { recursive: true });
});

function pathOf(name: string): string {
  return join(procfs, 'sys/net/ipv4', name);
}

/** What /proc says of both, and how many jiffies the kernel counts; undefined: there is no such file. */
function ticks(
  fin: readonly [text: string | undefined, jiffies: number],
  keepalive: readonly [text: string | undefined, jiffies: number] = [undefined, 0],
): number {
  const [finText, finTimeout] = fin;
  const [keepaliveText, keepaliveInterval] = keepalive;
  if (finText !== undefined) writeFileSync(pathOf('tcp_fin_timeout'), finText);
  if (keepaliveText !== undefined) writeFileSync(pathOf('tcp_keepalive_intvl'), keepaliveText);
  return ticksPerSecond(procfs, { finTimeout, keepaliveInterval });
}

describe('the ticks of a second', () => {
  it.each([100, 250, 300, 1000, 24, 1200])('are %i where the kernel counts as many jiffies', (hz) => {
    expect(ticks(['60\n', 60 * hz])).toBe(hz);
    expect(ticks(['7\n', 7 * hz], ['75\n', 75 * 500])).toBe(hz);
  });

  it('are told by the keepalive interval where tcp_fin_timeout is 0, which is allowed', () => {
    expect(ticks(['0\n', 0], ['75\n', 18_750])).toBe(250);
  });

  it('are told by the keepalive interval where tcp_fin_timeout was changed between its two readings', () => {
    expect(ticks(['59\n', 15_000], ['75\n', 18_750])).toBe(250);
    expect(ticks(['1\n', 15_000], ['75\n', 18_750])).toBe(250);
  });

  it('are told by the keepalive interval where tcp_fin_timeout cannot be read', () => {
    mkdirSync(pathOf('tcp_fin_timeout'));
    expect(ticks([undefined, 15_000], ['75\n', 7500])).toBe(100);
  });
});

describe('where nothing tells, they are 1000', () => {
  it('since neither can be read', () => {
    expect(ticks([undefined, 15_000], [undefined, 18_750])).toBe(1000);
    mkdirSync(pathOf('tcp_fin_timeout'));
    mkdirSync(pathOf('tcp_keepalive_intvl'));
    expect(ticks([undefined, 15_000], [undefined, 18_750])).toBe(1000);
  });

  it.each(['', 'sixty', '-60', '0', '60 60', 'Infinity', '0.5', '1'])('since both say %j', (text) => {
    expect(ticks([text, 15_000], [text, 18_750])).toBe(1000);
  });

  it('since no kernel has so few, or so many', () => {
    expect(ticks(['60', 60 * 23], ['75', 75 * 1201])).toBe(1000);
  });
});
