import { describe, expect, it } from 'vitest';
import { NO_REFUSALS } from '../../src/status/refusalLedger.ts';
import { refusalsOf } from '../../src/status/refusals.ts';
import { BIND, CONNECT, QUIET, refusalsAfter, STORM } from '../metrics/refusalStates.ts';

const MINUTE_MS = 60_000;

describe('what is said of refusals', () => {
  it('is nothing where there were none', () => {
    expect(refusalsOf(NO_REFUSALS, 0, 0)).toBeUndefined();
    expect(refusalsOf(refusalsAfter([QUIET]), 0, 0)).toBeUndefined();
  });

  it('is how many there were in 15 minutes, of each kind, and when the last was', () => {
    const state = refusalsAfter([STORM, { ...QUIET, refused: [{ ...BIND, netns: 'pod', count: 1 }] }]);
    expect(refusalsOf(state, 2000, 1_700_000_002_000)).toEqual({
      calls: [
        { ...BIND, netns: 'pod', error: 'EADDRINUSE', count: 1, ageMs: 1000 },
        { ...CONNECT, netns: 'host', error: 'EADDRNOTAVAIL', count: 5, ageMs: 2000 },
      ],
      callers: [expect.objectContaining({ process: 'curl', pid: 4711, count: 1, ageMs: 2000 })],
    });
  });

  it('is who was refused, each process once for each destination, the newest first', () => {
    const [event] = STORM.events;
    if (event === undefined) throw new Error('none');
    const at = (pid: number, second: number) => ({
      ...event,
      pid,
      atMs: 1000 * second,
      isLikely: second > 1,
    });
    const state = refusalsAfter([{ ...STORM, events: [at(1, 0), at(2, 1), at(1, 2), at(2, 3), at(2, 4)] }]);
    const { callers = [] } = refusalsOf(state, 0, 5000) ?? {};
    expect(callers.map(({ pid, count, ageMs }) => [pid, count, ageMs])).toEqual([
      [2, 3, 1000],
      [1, 2, 3000],
    ]);
  });

  it('leaves out what is older, also where nothing came since', () => {
    const state = refusalsAfter([STORM]);
    expect(refusalsOf(state, 14 * MINUTE_MS, 0)?.calls).toHaveLength(1);
    expect(refusalsOf(state, 16 * MINUTE_MS, 0)).toBeUndefined();
  });
});
