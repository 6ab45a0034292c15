import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LookupOutcome, Lookups } from '../../src/probes/lookups.ts';

/** A resolver that answers when the test says so. */
class FakeResolver {
  readonly asked: string[] = [];
  readonly #pending = new Map<
    string,
    { resolve: (addresses: string[]) => void; reject: (e: Error) => void }
  >();

  readonly resolve = (host: string): Promise<string[]> => {
    this.asked.push(host);
    return new Promise((resolve, reject) => this.#pending.set(host, { resolve, reject }));
  };

  async answer(host: string, ...addresses: string[]): Promise<void> {
    this.#pending.get(host)?.resolve(addresses);
    await vi.advanceTimersByTimeAsync(0);
  }

  async fail(host: string, code: string): Promise<void> {
    this.#pending.get(host)?.reject(Object.assign(new Error(code), { code }));
    await vi.advanceTimersByTimeAsync(0);
  }
}

describe('Lookups', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  function lookups(limit = 2) {
    const resolver = new FakeResolver();
    const all = new Lookups(resolver.resolve, limit);
    const lookup = (host: string, { timeoutMs = 5_000, longestWaitMs = 15_000 } = {}) =>
      all.lookup({ host, family: 0, timeoutMs, longestWaitMs });
    return { resolver, lookup };
  }

  it('say what the resolver says, and how long it took', async () => {
    const { resolver, lookup } = lookups();
    const found = lookup('a');
    await vi.advanceTimersByTimeAsync(250);
    await resolver.answer('a', '192.0.2.1', '2001:db8::1');
    expect(await found).toEqual({ found: true, addresses: ['192.0.2.1', '2001:db8::1'], seconds: 0.25 });
    const missing = lookup('b');
    await resolver.fail('b', 'ENOTFOUND');
    expect(await missing).toMatchObject({ found: false, reason: 'name_not_found', error: 'ENOTFOUND' });
    const nothing = lookup('b');
    await resolver.answer('b');
    expect(await nothing).toMatchObject({ found: false, reason: 'name_not_found' });
    const failed = lookup('b');
    await resolver.fail('b', 'EAI_AGAIN');
    expect(await failed).toMatchObject({ found: false, reason: 'resolver_failed', error: 'EAI_AGAIN' });
  });

  it('run so many at a time, in the order they came; waiting for that is none of their time', async () => {
    const { resolver, lookup } = lookups();
    const outcomes: LookupOutcome[] = [];
    for (const host of ['a', 'b', 'c', 'd']) void lookup(host).then((outcome) => outcomes.push(outcome));
    await vi.advanceTimersByTimeAsync(900);
    expect(resolver.asked).toEqual(['a', 'b']);
    await resolver.answer('b', '192.0.2.2');
    expect(resolver.asked).toEqual(['a', 'b', 'c']);
    await vi.advanceTimersByTimeAsync(100);
    await resolver.answer('c', '192.0.2.3');
    await resolver.answer('d', '192.0.2.4');
    expect(outcomes.map(({ seconds }) => seconds)).toEqual([0.9, expect.closeTo(0.1), 0]);
  });

  it('run once for all who ask for the same name', async () => {
    const { resolver, lookup } = lookups();
    const both = Promise.all([lookup('a'), lookup('a')]);
    await resolver.answer('a', '192.0.2.1');
    expect((await both).map(({ found }) => found)).toEqual([true, true]);
    expect(resolver.asked).toEqual(['a']);
  });

  it('are given up after their timeout, and not begun a second time while they hang', async () => {
    const { resolver, lookup } = lookups();
    const late = lookup('a');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await late).toEqual({ found: false, reason: 'timeout', error: 'ETIMEDOUT', seconds: 5 });
    const again = lookup('a');
    await resolver.answer('a', '192.0.2.1');
    expect(await again).toMatchObject({ found: true });
    expect(resolver.asked).toEqual(['a']);
  });

  it('that cannot begin are given up too, and keep their place in the queue', async () => {
    const { resolver, lookup } = lookups();
    const hanging = ['a', 'b'].map((host) => lookup(host));
    const waiting = lookup('c');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await waiting).toMatchObject({ found: false, reason: 'timeout', error: 'ETIMEDOUT' });
    await Promise.all(hanging);
    const later = lookup('c');
    await resolver.answer('a', '192.0.2.1');
    await resolver.answer('c', '192.0.2.3');
    expect(await later).toMatchObject({ found: true });
    expect(resolver.asked).toEqual(['a', 'b', 'c']);
  });

  it('that hung last time leave half of the places to the others', async () => {
    const { resolver, lookup } = lookups();
    const hung = ['a', 'b', 'c'];
    for (const host of hung) {
      void lookup(host);
      await vi.advanceTimersByTimeAsync(2_000);
      await resolver.fail(host, 'EAI_AGAIN');
    }
    resolver.asked.length = 0;
    for (const host of hung) void lookup(host);
    const local = lookup('localhost');
    expect(resolver.asked).toEqual(['a', 'localhost']);
    await resolver.answer('localhost', '127.0.0.1');
    expect(await local).toMatchObject({ found: true });
    // The free place is not theirs.
    expect(resolver.asked).toEqual(['a', 'localhost']);
    await resolver.answer('a', '192.0.2.1');
    expect(resolver.asked).toEqual(['a', 'localhost', 'b']);
    await resolver.answer('b', '192.0.2.1');
    // b answered in time, and has its place again.
    void lookup('b');
    expect(resolver.asked).toEqual(['a', 'localhost', 'b', 'c', 'b']);
  });
});

it('the C library knows localhost', async () => {
  const request = { family: 4, timeoutMs: 25_000, longestWaitMs: 1_000 } as const;
  const all = new Lookups();
  expect(await all.lookup({ host: 'localhost', ...request })).toMatchObject({
    ...{ found: true, addresses: ['127.0.0.1'] },
  });
});
