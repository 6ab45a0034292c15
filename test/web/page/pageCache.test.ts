import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PageCache } from '../../../src/web/page/pageCache.ts';

const TAKES_MS = 40;
const [FLOOD, OTHER] = ['192.0.2.1', '192.0.2.2'];

/** Pages of numbers, each of which takes a while to make; -1 is the first, and 13 fails. */
function slowPages() {
  const made: number[] = [];
  const pages = new PageCache<number>((key) => {
    clock += TAKES_MS;
    made.push(key);
    if (key === 13) throw new Error('defect');
    return `page ${key}, number ${made.length}`;
  }, -1);
  return { made, get: async (key: number, client = FLOOD) => (await pages.get(key, client))?.text };
}

let clock = 0;
beforeEach(() => {
  clock = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] });
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    clock += 10;
    await vi.advanceTimersByTimeAsync(10);
  }
}

describe('pages', () => {
  it('are made in a fifth of the time, however many are asked for', async () => {
    const { made, get } = slowPages();
    const answers: Promise<string | undefined>[] = [];
    const startedAt = clock;
    for (let key = 0; clock - startedAt < 2_000; key++) {
      answers.push(get(key));
      await pass(10);
    }
    expect(made.length * TAKES_MS).toBeGreaterThan(0.1 * 2_000);
    expect(made.length * TAKES_MS).toBeLessThan(0.25 * 2_000);
    await pass(2_000);
    expect(await Promise.all(answers)).toContain(undefined);
  });

  it('that are asked for while they wait are made once', async () => {
    const { made, get } = slowPages();
    const answers = [get(1), get(1), get(1)];
    await pass(100);
    expect(await Promise.all(answers)).toEqual(Array(3).fill('page 1, number 1'));
    expect(made).toEqual([1]);
  });

  it('beyond those that may wait are as old as five seconds, or refused', async () => {
    const { get } = slowPages();
    const first = get(9);
    await pass(300);
    await first;
    const waiting = [1, 2, 3, 4].map((key) => get(key));
    expect(await get(9)).toBe('page 9, number 1');
    expect(await get(8)).toBeUndefined();
    await pass(6_000);
    await Promise.all(waiting);
    const again = [1, 2, 3, 4].map((key) => get(key));
    expect(await get(9)).toBeUndefined();
    await pass(2_000);
    await Promise.all(again);
  });

  it('of another client are made all the same, and so is the first', async () => {
    const { get } = slowPages();
    const flood = [1, 2, 3, 4, 5].map((key) => get(key));
    const answers = [get(6, OTHER), get(-1)];
    await pass(2_000);
    expect(await Promise.all(answers)).toEqual([
      expect.stringContaining('page 6'),
      expect.stringContaining('page -1'),
    ]);
    expect((await Promise.all(flood)).filter((page) => page === undefined)).toHaveLength(2);
  });

  it('that cannot be made say why, and the next is made', async () => {
    const { get } = slowPages();
    const failed = expect(get(13)).rejects.toThrow('defect');
    const next = get(1);
    await pass(1_000);
    await failed;
    expect(await next).toBe('page 1, number 2');
  });
});
