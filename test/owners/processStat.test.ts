import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCpuUse, parseProcessStat } from '../../src/owners/processStat.ts';

const TAIL = ' S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3\n';
const stat = (comm: Uint8Array | string) =>
  parseProcessStat(
    Buffer.concat([Buffer.from('12 ('), Buffer.from(comm as string), Buffer.from(`)${TAIL}`)]),
  );

it.each([
  ['nginx', 'nginx'],
  ['a) S 1 (b', 'a) S 1 (b'],
  ['((()))', '((()))'],
  ['', ''],
  [Buffer.from([0x61, 0xff, 0xfe]), 'a\ufffd\ufffd'],
  ['two\nlines', 'two\\u000alines'],
  ['\u001b]0;x\u0007', '\\u001b]0;x\\u0007'],
])('a process called %j is %j, and its start is field 22', (comm, name) => {
  expect(stat(comm)).toEqual({ name, startTime: '987654' });
});

it('reads that of this process', () => {
  const own = parseProcessStat(readFileSync('/proc/self/stat'));
  expect(own?.name).toBe(readFileSync('/proc/self/comm', 'utf8').trimEnd());
  expect(Number(own?.startTime)).toBeGreaterThan(0);
});

it('is undefined for anything else', () => {
  for (const text of ['', '12 nginx S 1', '12 (nginx', '12 (nginx)', '12 (nginx) S 1 2', ')('])
    expect(parseProcessStat(Buffer.from(text))).toBeUndefined();
});

it('survives any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array({ maxLength: 15 }), (bytes, comm) => {
      parseProcessStat(Buffer.from(bytes));
      expect(stat(comm)?.startTime).toBe('987654');
      expect(stat(comm)?.name).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{0,64}$/u);
    }),
  );
});

describe('what a process does with the processor', () => {
  it('is its state, and fields 14 and 15 in hundredths of a second', () => {
    const line = (state: string) =>
      Buffer.from(`12 (a) R b) ${state} 1 2 3 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 9\n`);
    expect(parseCpuUse(line('R'))).toEqual({ isRunnable: true, milliseconds: 1100 });
    for (const state of ['S', 'D', 'T', 'Z']) expect(parseCpuUse(line(state))?.isRunnable).toBe(false);
  });

  it('is that of this process', () => {
    const { user, system } = process.cpuUsage();
    const own = parseCpuUse(readFileSync('/proc/self/stat'));
    expect(own?.isRunnable).toBe(true);
    expect(own?.milliseconds).toBeGreaterThanOrEqual(Math.floor((user + system) / 1000) - 30);
  });

  it('is undefined for anything else', () => {
    for (const text of ['', '12 nginx S 1', '12 (nginx)', '12 (nginx) S 1 2', ')('])
      expect(parseCpuUse(Buffer.from(text))).toBeUndefined();
  });
});
