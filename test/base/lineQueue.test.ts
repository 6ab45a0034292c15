import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineQueue } from '../../src/base/lineQueue.ts';

/** Somewhere to write to: takes so many bytes at a time, none where it is full, and throws where it is broken. */
class Sink {
  takes: number | 'broken' = Infinity;
  text = '';
  attempts = 0;
  readonly attempt = (bytes: Uint8Array): number => {
    this.attempts++;
    if (this.takes === 'broken') throw new Error('ENOSPC');
    const taken = Math.min(bytes.length, this.takes);
    this.takes -= taken;
    this.text += Buffer.from(bytes.subarray(0, taken)).toString('latin1');
    return taken;
  };
}

function queueInto(sink: Sink, waitingBytes = 100): LineQueue {
  const queue = new LineQueue(sink.attempt, waitingBytes);
  queue.tellDropped = (lines) => `dropped ${lines}\n`;
  return queue;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('lines', () => {
  it('are written before write() returns where there is room', () => {
    const sink = new Sink();
    queueInto(sink).write('one\n');
    expect(sink.text).toBe('one\n');
  });

  it('wait for room, in their order, and a line that was begun is finished first', () => {
    const sink = new Sink();
    const queue = queueInto(sink);
    sink.takes = 2;
    for (const line of ['one\n', 'two\n', 'three\n']) queue.write(line);
    expect(sink.text).toBe('on');
    sink.takes = Infinity;
    vi.advanceTimersByTime(50);
    expect(sink.text).toBe('one\ntwo\nthree\n');
    expect(queue.dropped).toBe(0);
  });

  it('that have no place to wait are dropped and told of where they are missing', () => {
    const sink = new Sink();
    const queue = queueInto(sink, 10);
    sink.takes = 0;
    for (const line of ['one\n', 'two\n', 'lost\n', 'lost too\n']) queue.write(line);
    expect(queue.dropped).toBe(2);
    sink.takes = Infinity;
    vi.advanceTimersByTime(50);
    queue.write('next\n');
    expect(sink.text).toBe('one\ntwo\ndropped 2\nnext\n');
    expect(queue.dropped).toBe(2);
  });

  it('that fail are dropped at once, and told of when it works again, whether or not anything is written then', () => {
    const sink = new Sink();
    const queue = queueInto(sink);
    sink.takes = 'broken';
    for (const line of ['one\n', 'two\n', 'three\n']) queue.write(line);
    expect(queue.dropped).toBe(3);
    vi.advanceTimersByTime(10_000);
    sink.takes = Infinity;
    vi.advanceTimersByTime(1000);
    expect(sink.text).toBe('dropped 3\n');
    queue.write('four\n');
    expect(sink.text).toBe('dropped 3\nfour\n');
  });

  it('of any length are written where nothing waits', () => {
    const sink = new Sink();
    queueInto(sink).write(`${'x'.repeat(1000)}\n`);
    expect(sink.text).toHaveLength(1001);
  });
});

describe('what is stuck', () => {
  it('is tried again a few times a second, not with every line', () => {
    const sink = new Sink();
    const queue = queueInto(sink, 1000);
    sink.takes = 0;
    for (let count = 0; count < 100; count++) queue.write('line\n');
    expect(sink.attempts).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(sink.attempts).toBe(21);
  });

  it('holds an end up no longer than it is given, and what failed not at all', () => {
    vi.useRealTimers();
    const sink = new Sink();
    const queue = queueInto(sink);
    sink.takes = 0;
    queue.write('one\n');
    const startedAt = performance.now();
    queue.flush(100);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(100);
    sink.takes = 'broken';
    const failedAt = performance.now();
    queue.flush(60_000);
    expect(performance.now() - failedAt).toBeLessThan(30_000);
    expect(queue.dropped).toBe(1);
  });
});

const anyEvent = fc.oneof(
  { weight: 4, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 40 }) }) },
  fc.record({ takes: fc.oneof(fc.nat(60), fc.constant<'broken'>('broken'), fc.constant(Infinity)) }),
  fc.record({ waitMs: fc.constantFrom(1, 50, 1000) }),
  fc.record({ flush: fc.constant(true) }),
);

it('whatever becomes of it, lines are whole and in order, and every one is there or told of in its place', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 200 }), (events) => {
      const sink = new Sink();
      const queue = queueInto(sink);
      let written = 0;
      for (const event of events) {
        if ('write' in event) queue.write(`${written++} ${'x'.repeat(event.write)}\n`);
        else if ('takes' in event) sink.takes = event.takes;
        else if ('waitMs' in event) vi.advanceTimersByTime(event.waitMs);
        else queue.flush(0);
      }
      sink.takes = Infinity;
      vi.advanceTimersByTime(1000);
      let next = 0;
      let dropped = 0;
      expect(sink.text === '' || sink.text.endsWith('\n')).toBe(true);
      for (const line of sink.text.split('\n').slice(0, -1)) {
        const [, lost] = /^dropped (\d+)$/.exec(line) ?? [];
        if (lost === undefined) expect(line).toMatch(new RegExp(`^${next++} x+$`));
        else {
          next += Number(lost);
          dropped += Number(lost);
        }
      }
      expect(next).toBe(written);
      expect(dropped).toBe(queue.dropped);
    }),
    { numRuns: 1000 },
  );
});
