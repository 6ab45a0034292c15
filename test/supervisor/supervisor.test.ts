import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { FakeThread, recordingLogger, snapshotOf } from '../sampling/fakes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A sampler whose threads the test plays. `failStarts`: how many of the next threads cannot be started at all. */
function newSampler() {
  const threads: FakeThread[] = [];
  const starts = { toFail: 0 };
  const { log, lines } = recordingLogger();
  const sampler = new Supervisor(() => {
    if (starts.toFail > 0) {
      starts.toFail--;
      throw new Error('thread: EAGAIN');
    }
    const thread = new FakeThread();
    threads.push(thread);
    return thread;
  }, log);
  const newest = (): FakeThread => threads.at(-1) ?? new FakeThread();
  return { sampler, threads, starts, lines, newest };
}

/** One that has sampled once. */
async function samplingSampler() {
  const parts = newSampler();
  const first = parts.sampler.start();
  parts.newest().sample();
  await first;
  return parts;
}

it('tells whoever wants to hear of every sample, and of nothing else', async () => {
  const { sampler, newest } = newSampler();
  const heard: unknown[] = [];
  sampler.onSample((snapshot) => heard.push(snapshot));
  const first = sampler.start();
  newest().say({ kind: 'sampling', nextWithinMs: 10_000 });
  const snapshots = [snapshotOf(), snapshotOf()];
  for (const snapshot of snapshots) newest().sample(snapshot);
  await first;
  expect(heard).toEqual(snapshots);
  sampler.stop();
});

describe('until the first sample', () => {
  it('there is none, and start() waits for it', async () => {
    const { sampler, newest } = newSampler();
    const first = sampler.start();
    expect(sampler.state).toEqual({ kind: 'failed', reason: 'no sample taken yet', collectors: [] });
    const snapshot = snapshotOf();
    newest().say({ kind: 'sampling', nextWithinMs: 10_000 });
    newest().sample(snapshot);
    expect(await first).toBe(snapshot);
    expect(sampler.state).toEqual({ kind: 'sampled', snapshot });
  });

  it.each<[string, (thread: FakeThread) => unknown, string]>([
    [
      'the thread says that nothing can be sampled',
      (thread) => thread.say({ kind: 'failed', reason: 'open() of /x: ENOENT' }),
      'open() of /x: ENOENT',
    ],
    [
      'it dies',
      (thread) => thread.emit('error', new Error('out of\n  memory')),
      'the sampling thread died: out of memory',
    ],
    ['it ends', (thread) => thread.emit('exit', 3), 'the sampling thread exited with code 3'],
    [
      'it never says a word',
      () => vi.advanceTimersByTime(20_000),
      'the sampling thread hangs: no message for 20s',
    ],
    [
      'its first sample takes too long',
      (thread) => {
        thread.say({ kind: 'sampling', nextWithinMs: 1500 });
        vi.advanceTimersByTime(1500);
      },
      'the sampling thread hangs: no message for 1s500ms',
    ],
  ])('start() rejects where %s, and nothing is tried again', async (_, fail, reason) => {
    const { sampler, threads, newest } = newSampler();
    const first = sampler.start();
    fail(newest());
    await expect(first).rejects.toThrow(new ExporterError(reason));
    expect(newest().terminate).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(600_000);
    expect(threads).toHaveLength(1);
  });

  it('start() rejects where no thread can be started', async () => {
    const { sampler, starts } = newSampler();
    starts.toFail = 1;
    const reason = 'cannot start the sampling thread: thread: EAGAIN';
    await expect(sampler.start()).rejects.toThrow(new ExporterError(reason));
  });
});

describe('a thread that fails after a sample', () => {
  it.each<[string, (thread: FakeThread) => unknown, string]>([
    [
      'dies',
      (thread) => thread.emit('error', new Error('out of memory')),
      'the sampling thread died: out of memory',
    ],
    ['ends', (thread) => thread.emit('exit', 0), 'the sampling thread exited with code 0'],
    ['says that nothing can be sampled', (thread) => thread.say({ kind: 'failed', reason: 'gone' }), 'gone'],
    [
      'is late with what it promised',
      () => vi.advanceTimersByTime(10_000),
      'the sampling thread hangs: no message for 10s',
    ],
  ])('and %s leaves no numbers, a reason, and its collectors', async (_, fail, reason) => {
    const { sampler, threads, lines, newest } = await samplingSampler();
    fail(newest());
    expect(sampler.state).toEqual({
      kind: 'failed',
      reason,
      collectors: [
        { netns: 'host', collector: 'range' },
        { netns: 'host', collector: 'tcp' },
      ],
    });
    expect(newest().terminate).toHaveBeenCalledOnce();
    expect(lines).toEqual([['error', 'sampling stopped', { reason, retry_in: '1s' }]]);
    vi.advanceTimersByTime(999);
    expect(threads).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(threads).toHaveLength(2);
    newest().sample();
    expect(sampler.state.kind).toBe('sampled');
  });

  it('is waited for exactly as long as each message says', async () => {
    const { sampler, newest } = await samplingSampler();
    vi.advanceTimersByTime(9999);
    newest().say({ kind: 'sampling', nextWithinMs: 60_000 });
    vi.advanceTimersByTime(59_999);
    newest().say({ kind: 'sampled', nextWithinMs: 300, snapshot: snapshotOf() });
    vi.advanceTimersByTime(299);
    expect(sampler.state.kind).toBe('sampled');
    vi.advanceTimersByTime(1);
    expect(sampler.state.kind).toBe('failed');
  });

  it('gets no more time for a line to log', async () => {
    const { sampler, lines, newest } = await samplingSampler();
    vi.advanceTimersByTime(9999);
    newest().say({ kind: 'log', level: 'warn', message: 'hm', fields: { a: 1 } });
    vi.advanceTimersByTime(1);
    expect(sampler.state.kind).toBe('failed');
    expect(lines[0]).toEqual(['warn', 'hm', { a: 1 }]);
  });

  it('is replaced after 1 s, 2 s, 4 s and so on up to a minute, and after a sample from 1 s again', async () => {
    const { starts, threads, newest } = await samplingSampler();
    const waits = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
    for (const [died, wait] of waits.entries()) {
      newest().emit('exit', 1);
      vi.advanceTimersByTime(wait - 1);
      expect(threads).toHaveLength(died + 1);
      vi.advanceTimersByTime(1);
      expect(threads).toHaveLength(died + 2);
    }
    newest().say({ kind: 'sampling', nextWithinMs: 1000 });
    newest().sample();
    newest().emit('exit', 1);
    starts.toFail = 1;
    vi.advanceTimersByTime(1000);
    expect(threads).toHaveLength(waits.length + 1);
    vi.advanceTimersByTime(2000);
    expect(threads).toHaveLength(waits.length + 2);
  });

  it('is not heard any more, whatever it still says', async () => {
    const { sampler, threads, lines, newest } = await samplingSampler();
    const dropped = newest();
    vi.advanceTimersByTime(10_000);
    const failed = sampler.state;
    const sayAll = () => {
      dropped.sample();
      dropped.say({ kind: 'failed', reason: 'late' });
      dropped.say({ kind: 'log', level: 'info', message: 'late', fields: undefined });
      dropped.emit('error', new Error('late'));
      dropped.emit('exit', 1);
    };
    sayAll();
    expect(sampler.state).toBe(failed);
    vi.advanceTimersByTime(1000);
    const snapshot = snapshotOf();
    newest().sample(snapshot);
    sayAll();
    expect(sampler.state).toEqual({ kind: 'sampled', snapshot });
    expect(threads).toHaveLength(2);
    expect(lines).toHaveLength(1);
  });

  it('keeps naming its collectors while its successors fail too', async () => {
    const { sampler, newest } = await samplingSampler();
    newest().emit('exit', 1);
    vi.advanceTimersByTime(1000);
    newest().say({ kind: 'failed', reason: 'still broken' });
    expect(sampler.state).toMatchObject({ reason: 'still broken', collectors: [{}, {}] });
  });
});

describe('stop()', () => {
  it('ends the thread and starts no other', async () => {
    const { sampler, threads, newest } = await samplingSampler();
    sampler.stop();
    expect(newest().terminate).toHaveBeenCalledOnce();
    newest().emit('exit', 1);
    vi.advanceTimersByTime(600_000);
    expect(threads).toHaveLength(1);
  });

  it('also while a replacement is due', async () => {
    const { sampler, threads, newest } = await samplingSampler();
    newest().emit('exit', 1);
    sampler.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(threads).toHaveLength(1);
  });
});
