import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { NAMESPACES_KEPT, RecordedHistory } from '../../src/status/history.ts';
import { BUCKET_MS, BUCKETS, type Point, type Timeline } from '../../src/status/timeline.ts';
import { estimatedAt, RICH_NAMESPACE, withResults } from '../metrics/snapshots.ts';

/** Long enough for a sample to stand for whole buckets after its own. */
const INTERVAL_SECONDS = 15;
/** A sample stands for so long for what comes after it. */
const HOLDS_MS = 3 * INTERVAL_SECONDS * 1000;

/** A namespace whose four regimes all have this ratio; negative: only as an estimate. undefined: nothing is known. */
function namespace(netns: string, ratio: number | undefined): NamespaceSnapshot {
  const base = { ...RICH_NAMESPACE, netns };
  if (ratio === undefined) return withResults(base, { tcp: undefined, udp: undefined });
  const regime = { ratio: Math.abs(ratio), available: 1 };
  if (ratio < 0 || Object.is(ratio, -0)) return estimatedAt(base, { tcp: regime, udp: regime });
  const { tcp, udp } = RICH_NAMESPACE.results;
  const both = { connect: regime, bind: regime };
  return withResults(base, { tcp: { ...tcp, ...both }, udp: { ...udp, ...both } });
}

/** What happened: when, and the ratio of every namespace that was there. */
type Event = readonly [atMs: number, ratios: Readonly<Record<string, number | undefined>>];

function recorded(events: readonly Event[]): RecordedHistory {
  const history = new RecordedHistory();
  for (const [atMs, ratios] of events) record(history, atMs, ratios);
  return history;
}

function record(history: RecordedHistory, atMs: number, ratios: Event[1]): void {
  const namespaces = Object.entries(ratios).map(([netns, ratio]) => namespace(netns, ratio));
  history.record({ namespaces, intervalSeconds: INTERVAL_SECONDS }, atMs);
}

/** `undefined` for a gap, `≤ 0.5` for a bound. */
function words(points: readonly Point[]): (number | string | undefined)[] {
  return points.map(({ value, isEstimated }) => {
    if (Number.isNaN(value)) return undefined;
    return isEstimated ? `≤ ${value}` : value;
  });
}

/** The last `count` points of TCP connect(). */
function ending(history: RecordedHistory, netns: string, nowMs: number, count: number) {
  return words(timelineOf(history, netns, nowMs).regimes[0] ?? []).slice(-count);
}

function timelineOf(history: RecordedHistory, netns: string, nowMs: number): Timeline {
  const timeline = history.timeline(netns, nowMs);
  if (timeline === undefined) throw new Error(`${netns} is not remembered`);
  return timeline;
}

describe('the last hour', () => {
  it('keeps the highest sample of each quarter of a minute', () => {
    const history = recorded([
      [0, { host: 0.1 }],
      [5_000, { host: 0.9 }],
      [10_000, { host: 0.2 }],
      [15_000, { host: 0.3 }],
    ]);
    expect(ending(history, 'host', 15_000, 3)).toEqual([undefined, 0.9, 0.3]);
  });

  it('has the four regimes and the sockets that were read, an hour of each', () => {
    const { regimes, sockets } = timelineOf(recorded([[0, { host: 0.5 }]]), 'host', 0);
    expect(regimes).toHaveLength(4);
    for (const points of [...regimes, sockets]) expect(points).toHaveLength(BUCKETS);
    expect(BUCKETS * BUCKET_MS).toBe(3_600_000);
    const { tcp, udp } = RICH_NAMESPACE.results;
    expect(words(sockets).at(-1)).toBe((tcp?.sampledSockets ?? 0) + (udp?.sampledSockets ?? 0));
  });

  it('shows a gap where no sample came, and none where the interval is longer than a bucket', () => {
    const held = recorded([
      [0, { host: 0.1 }],
      [HOLDS_MS, { host: 0.2 }],
    ]);
    expect(ending(held, 'host', HOLDS_MS, 4)).toEqual([0.1, 0.1, 0.1, 0.2]);
    const slow = new RecordedHistory();
    for (const atMs of [0, 60_000]) {
      slow.record({ namespaces: [namespace('host', atMs / 100_000)], intervalSeconds: 60 }, atMs);
    }
    expect(ending(slow, 'host', 60_000, 5)).toEqual([0, 0, 0, 0, 0.6]);
    const missed = recorded([
      [0, { host: 0.1 }],
      [60_000, { host: 0.2 }],
    ]);
    expect(ending(missed, 'host', 60_000, 5)).toEqual([0.1, undefined, undefined, undefined, 0.2]);
  });

  it('ends in a gap once the last sample is too old to stand for now', () => {
    const history = recorded([[0, { host: 0.1 }]]);
    expect(ending(history, 'host', HOLDS_MS, 4)).toEqual([0.1, 0.1, 0.1, 0.1]);
    expect(ending(history, 'host', HOLDS_MS + 1, 4)).toEqual([0.1, undefined, undefined, undefined]);
  });

  it('forgets what is more than an hour ago', () => {
    const history = recorded([
      [0, { host: 0.9 }],
      [3_590_000, { host: 0.1 }],
    ]);
    expect(history.peaks(3_590_000)).toMatchObject([{ ratio: 0.9, agoMs: 3_585_000 }]);
    record(history, 3_600_000, { host: 0.1 });
    expect(history.peaks(3_600_000)).toMatchObject([{ ratio: 0.1, agoMs: 0 }]);
    expect(recorded([[0, { host: 0.9 }]]).peaks(3_600_000)).toEqual([]);
  });

  it('keeps a bound apart from what is known, and drops it for that', () => {
    const history = recorded([
      [0, { host: 0.1, pod: -0.9 }],
      [15_000, { host: 0.1, pod: -0.9 }],
      [20_000, { host: 0.1, pod: 0.2 }],
    ]);
    expect(ending(history, 'pod', 20_000, 2)).toEqual(['≤ 0.9', 0.2]);
    expect(history.peaks(20_000)[1]).toMatchObject({ netns: 'pod', ratio: 0.2, isEstimated: false });
  });

  it('knows a bound of nothing for a bound', () => {
    const history = recorded([[0, { host: -0 }]]);
    expect(ending(history, 'host', 0, 1)).toEqual(['≤ 0']);
    expect(history.peaks(0)).toMatchObject([{ ratio: 0, isEstimated: true }]);
  });

  it('of a namespace whose collectors failed is a gap', () => {
    const history = recorded([
      [0, { host: 0.1 }],
      [15_000, { host: undefined }],
      [30_000, { host: 0.1 }],
    ]);
    expect(ending(history, 'host', 30_000, 3)).toEqual([0.1, undefined, 0.1]);
  });

  it('of a namespace that went stays for the hour, and ends', () => {
    const history = recorded([
      [0, { host: 0.1, pod: 0.99 }],
      [5_000, { host: 0.1 }],
      [20_000, { host: 0.1 }],
    ]);
    expect(ending(history, 'pod', 20_000, 2)).toEqual([0.99, undefined]);
    expect(history.peaks(20_000)).toEqual([
      { netns: 'host', ratio: 0.1, isEstimated: false, agoMs: 0, isPresent: true },
      { netns: 'pod', ratio: 0.99, isEstimated: false, agoMs: 15_000, isPresent: false },
    ]);
    for (let atMs = 25_000; atMs <= 3_600_000; atMs += 5_000) record(history, atMs, { host: 0.1 });
    expect(history.timeline('pod', 3_600_000)).toBeUndefined();
  });

  it('of nobody is unknown', () => {
    expect(new RecordedHistory().timeline('host', 0)).toBeUndefined();
    expect(new RecordedHistory().peaks(0)).toEqual([]);
  });
});

const NAMES = ['host', 'a', 'b', 'c'] as const;
const anyRatio = fc.option(
  fc.double({ min: -1, max: 1, noNaN: true }).map((ratio) => (ratio === 0 ? 0 : ratio)),
  { nil: undefined },
);
/** Steps from a moment to hours, and who is there. */
const anyEvents = fc.array(
  fc.tuple(
    fc.oneof(
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 200_000 }),
      fc.integer({ min: 0, max: 8_000_000 }),
    ),
    fc.record({ a: anyRatio, b: anyRatio, c: anyRatio }, { requiredKeys: [] }),
    anyRatio,
  ),
  { minLength: 1, maxLength: 40 },
);

it('whatever comes, an hour is what a list of all samples says it is', () => {
  fc.assert(
    fc.property(anyEvents, fc.integer({ min: 0, max: 100_000 }), (steps, later) => {
      let atMs = 0;
      const events = steps.map(([stepMs, others, host]): Event => {
        atMs += stepMs;
        return [atMs, { host, ...others }];
      });
      const history = recorded(events);
      const nowMs = atMs + later;
      for (const netns of NAMES) {
        const expected = reference(events, netns, nowMs);
        const timeline = history.timeline(netns, nowMs);
        const points =
          timeline === undefined ? Array(BUCKETS).fill(undefined) : words(timeline.regimes[0] ?? []);
        expect(points).toEqual(expected);
      }
    }),
    { numRuns: 300 },
  );
});

/** The same from a list of everything that ever was. */
function reference(events: readonly Event[], netns: string, nowMs: number) {
  const newest = Math.floor(nowMs / BUCKET_MS);
  return Array.from({ length: BUCKETS }, (_, index) => {
    const bucket = newest - BUCKETS + 1 + index;
    const inside = events.filter(([atMs]) => Math.floor(atMs / BUCKET_MS) === bucket);
    const before = events.findLast(([atMs]) => Math.floor(atMs / BUCKET_MS) < bucket);
    const next = events.find(([atMs]) => Math.floor(atMs / BUCKET_MS) > bucket)?.[0] ?? nowMs;
    const holds = before !== undefined && next - before[0] <= HOLDS_MS;
    const ratios = (inside.length > 0 ? inside : holds ? [before] : []).flatMap(
      ([, all]) => all[netns] ?? [],
    );
    const known = ratios.filter((ratio) => ratio >= 0);
    if (known.length > 0) return Math.max(...known);
    return ratios.length > 0 ? `≤ ${Math.max(...ratios.map(Math.abs))}` : undefined;
  });
}

describe('with more namespaces than are remembered', () => {
  const many = (count: number, ratioOf: (index: number) => number, prefix = 'n') =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, ratioOf(index)]));
  const names = (history: RecordedHistory, nowMs: number) => history.peaks(nowMs).map(({ netns }) => netns);

  it('those nearest to exhaustion are, and always the own one', () => {
    const history = recorded([[0, { host: 0, ...many(200, (index) => index / 200) }]]);
    const kept = names(history, 0);
    expect(kept).toHaveLength(NAMESPACES_KEPT);
    const nearest = Array.from({ length: NAMESPACES_KEPT - 1 }, (_, index) => `n${199 - index}`);
    expect(new Set(kept)).toEqual(new Set(['host', ...nearest]));
  });

  it('one that comes nearer takes the place of the calmest, and one that does not takes nobody’s', () => {
    const crowd = many(NAMESPACES_KEPT - 1, (index) => 0.5 + index / 1000);
    const history = recorded([[0, { host: 0.1, ...crowd }]]);
    record(history, 5_000, { host: 0.1, ...crowd, calm: 0.5 });
    expect(history.timeline('calm', 5_000)).toBeUndefined();
    record(history, 10_000, { host: 0.1, ...crowd, full: 0.97 });
    expect(ending(history, 'full', 10_000, 2)).toEqual([undefined, 0.97]);
    expect(history.timeline('n0', 10_000)).toBeUndefined();
    expect(history.timeline('n1', 10_000)).toBeDefined();
  });

  it('an hour of thousands that come and go stays below 604 KiB', () => {
    const history = new RecordedHistory();
    const named = (round: number) =>
      many(50, (index) => ((round * 7 + index * 13) % 100) / 100, `r${round}-`);
    for (let round = 0; round < 240; round++) {
      record(history, round * 20_000, { host: 0.5, ...named(round) });
      expect(history.bytes).toBeLessThan(604 * 1024);
      expect(names(history, round * 20_000)[0]).toBe('host');
    }
    expect(history.bytes).toBeGreaterThan(600 * 1024);
    // 99 of 100 is the most that any of the 12 000 reached, many of them.
    const ratios = history.peaks(239 * 20_000).filter(({ netns }) => netns !== 'host');
    expect(ratios.length).toBe(NAMESPACES_KEPT - 1);
    for (const { ratio } of ratios) expect(ratio).toBeGreaterThan(0.9);
  });
});
