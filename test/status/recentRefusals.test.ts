import { describe, expect, it } from 'vitest';
import { RECENT_MS, RecentRefusals } from '../../src/status/recentRefusals.ts';

const CALLS = { netns: 'host', protocol: 'tcp', scope: 'connect', count: 2 } as const;

describe('refusals that are news', () => {
  it('are told with their moments', () => {
    const recent = new RecentRefusals();
    recent.add(CALLS, 5_000);
    recent.add(CALLS, 25_000);
    expect(recent.all()).toEqual([
      {
        ...{ netns: 'host', protocol: 'tcp', scope: 'connect' },
        times: [
          { atMs: 5_000, count: 2 },
          { atMs: 25_000, count: 2 },
        ],
      },
    ]);
  });

  it('take no more memory for a storm', () => {
    const recent = new RecentRefusals();
    for (let ms = 0; ms < RECENT_MS; ms += 100) recent.add(CALLS, ms);
    const [one] = recent.all();
    expect(one?.times.length).toBeLessThanOrEqual(90);
    expect(one?.times.reduce((sum, { count }) => sum + count, 0)).toBe(2 * (RECENT_MS / 100));
  });

  it('are forgotten once they are none, with their namespaces', () => {
    const recent = new RecentRefusals();
    recent.add(CALLS, 0);
    recent.add({ ...CALLS, netns: 'pod' }, RECENT_MS + 1);
    expect(recent.all().map(({ netns }) => netns)).toEqual(['pod']);
  });

  it('do not change what was told before', () => {
    const recent = new RecentRefusals();
    recent.add(CALLS, 0);
    const before = recent.all();
    recent.add(CALLS, 1);
    expect(before[0]?.times).toEqual([{ atMs: 0, count: 2 }]);
  });
});
