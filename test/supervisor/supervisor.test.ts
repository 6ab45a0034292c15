import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { CONNECT, STORM } from '../metrics/refusalStates.ts';
import { FakeSampler, recordingLogger, snapshotOf, USAGE } from '../sampling/fakes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Messages that wait are read before a deadline counts. */
const READING_MS = 1;

const pass = (milliseconds: number) => void vi.advanceTimersByTime(milliseconds);

/** A sampler whose processes the test plays. `failStarts`: how many of the next processes cannot be started at all. */
function newSampler() {
  const samplers: FakeSampler[] = [];
  const starts = { toFail: 0 };
  const { log, lines } = recordingLogger();
  const sampler = new Supervisor(() => {
    if (starts.toFail > 0) {
      starts.toFail--;
      throw new Error('spawn: EAGAIN');
    }
    const made = new FakeSampler();
    samplers.push(made);
    return made;
  }, log);
  const newest = (): FakeSampler => samplers.at(-1) ?? new FakeSampler();
  return { sampler, samplers, starts, lines, newest };
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

describe('refused calls', () => {
  it('add up over samplers that follow each other, and are not known in between', async () => {
    const { sampler, newest } = await samplingSampler();
    newest().say({ kind: 'refused', report: STORM });
    expect(sampler.refusals).toMatchObject({ counted: [CONNECT], refused: [{ count: 4 }] });
    newest().emit('ended', 'was killed by SIGKILL');
    expect(sampler.refusals).toMatchObject({ counted: [], refused: [{ count: 4 }] });
    pass(1000);
    newest().say({ kind: 'refused', report: STORM });
    expect(sampler.refusals).toMatchObject({ counted: [CONNECT], refused: [{ count: 8 }] });
    sampler.stop();
  });

  it('buy a sampler that hangs no time', async () => {
    const { sampler, newest } = await samplingSampler();
    pass(9_000);
    newest().say({ kind: 'refused', report: STORM });
    pass(1_000 + READING_MS);
    expect(sampler.state).toMatchObject({ kind: 'failed' });
    sampler.stop();
  });
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
    expect(sampler.state).toEqual({
      kind: 'sampled',
      snapshot,
      receivedAtMs: expect.any(Number),
      sampler: expect.anything(),
    });
  });

  it.each<[string, (process: FakeSampler) => unknown, string]>([
    [
      'it says that nothing can be sampled',
      (process) => process.say({ kind: 'failed', reason: 'open() of /x: ENOENT' }),
      'open() of /x: ENOENT',
    ],
    [
      'it dies',
      (process) => process.say({ kind: 'died', reason: 'out of memory' }),
      'the sampler died: out of memory',
    ],
    ['it ends', (process) => process.emit('ended', 'exited with code 3'), 'the sampler exited with code 3'],
    ['it never says a word', () => pass(20_000 + READING_MS), 'the sampler hangs: no message for 20s'],
    [
      'its first sample takes too long',
      (process) => {
        process.say({ kind: 'sampling', nextWithinMs: 1500 });
        pass(1500 + READING_MS);
      },
      'the sampler hangs: no message for 1s500ms',
    ],
  ])('start() rejects where %s, and nothing is tried again', async (_, fail, reason) => {
    const { sampler, samplers, newest } = newSampler();
    const first = sampler.start();
    fail(newest());
    await expect(first).rejects.toThrow(new ExporterError(reason));
    expect(newest().kill).toHaveBeenCalledOnce();
    pass(600_000);
    expect(samplers).toHaveLength(1);
  });

  it('start() rejects where none can be started', async () => {
    const { sampler, starts } = newSampler();
    starts.toFail = 1;
    const reason = 'cannot start the sampler: spawn: EAGAIN';
    await expect(sampler.start()).rejects.toThrow(new ExporterError(reason));
  });
});

describe('one that fails after a sample', () => {
  it.each<[string, (process: FakeSampler) => unknown, string]>([
    [
      'dies',
      (process) => process.say({ kind: 'died', reason: 'out of memory' }),
      'the sampler died: out of memory',
    ],
    [
      'ends',
      (process) => process.emit('ended', 'was killed by SIGKILL'),
      'the sampler was killed by SIGKILL',
    ],
    [
      'says that nothing can be sampled',
      (process) => process.say({ kind: 'failed', reason: 'gone' }),
      'gone',
    ],
    [
      'is late with what it promised',
      () => pass(10_000 + READING_MS),
      'the sampler hangs: no message for 10s',
    ],
  ])('and %s leaves no numbers, a reason, and its collectors', async (_, fail, reason) => {
    const { sampler, samplers, lines, newest } = await samplingSampler();
    fail(newest());
    expect(sampler.state).toEqual({
      kind: 'failed',
      reason,
      collectors: [
        { netns: 'host', collector: 'range' },
        { netns: 'host', collector: 'tcp' },
      ],
      sampler: { usage: USAGE, restarts: 0 },
    });
    expect(newest().kill).toHaveBeenCalledOnce();
    expect(lines).toEqual([['error', 'sampling stopped', { reason, retry_in: '1s' }]]);
    pass(999);
    expect(samplers).toHaveLength(1);
    pass(1);
    expect(samplers).toHaveLength(2);
    newest().sample();
    expect(sampler.state).toMatchObject({ kind: 'sampled', sampler: { usage: USAGE, restarts: 1 } });
  });

  it('is waited for exactly as long as each message says', async () => {
    const { sampler, newest } = await samplingSampler();
    pass(9999);
    newest().say({ kind: 'sampling', nextWithinMs: 60_000 });
    pass(59_999);
    newest().say({ kind: 'sampled', nextWithinMs: 300, snapshot: snapshotOf(), usage: USAGE });
    pass(299);
    expect(sampler.state.kind).toBe('sampled');
    pass(1 + READING_MS);
    expect(sampler.state.kind).toBe('failed');
  });

  it('gets no more time for a line to log', async () => {
    const { sampler, lines, newest } = await samplingSampler();
    pass(9999);
    newest().say({ kind: 'log', level: 'warn', message: 'hm', fields: { a: 1 } });
    pass(1 + READING_MS);
    expect(sampler.state.kind).toBe('failed');
    expect(lines[0]).toEqual(['warn', 'hm', { a: 1 }]);
  });

  it('is replaced after 1 s, 2 s, 4 s and so on up to a minute, and after a sample from 1 s again', async () => {
    const { starts, samplers, newest } = await samplingSampler();
    const waits = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
    for (const [died, wait] of waits.entries()) {
      newest().emit('ended', 'exited with code 1');
      pass(wait - 1);
      expect(samplers).toHaveLength(died + 1);
      pass(1);
      expect(samplers).toHaveLength(died + 2);
    }
    newest().say({ kind: 'sampling', nextWithinMs: 1000 });
    newest().sample();
    newest().emit('ended', 'exited with code 1');
    starts.toFail = 1;
    pass(1000);
    expect(samplers).toHaveLength(waits.length + 1);
    pass(2000);
    expect(samplers).toHaveLength(waits.length + 2);
  });

  it('is not heard any more, whatever it still says', async () => {
    const { sampler, samplers, lines, newest } = await samplingSampler();
    const dropped = newest();
    pass(10_000 + READING_MS);
    const failed = sampler.state;
    const sayAll = () => {
      dropped.sample();
      dropped.say({ kind: 'failed', reason: 'late' });
      dropped.say({ kind: 'log', level: 'info', message: 'late', fields: undefined });
      dropped.say({ kind: 'died', reason: 'late' });
      dropped.emit('ended', 'exited with code 1');
    };
    sayAll();
    expect(sampler.state).toBe(failed);
    pass(1000);
    const snapshot = snapshotOf();
    newest().sample(snapshot);
    sayAll();
    expect(sampler.state).toEqual({
      kind: 'sampled',
      snapshot,
      receivedAtMs: expect.any(Number),
      sampler: expect.anything(),
    });
    expect(samplers).toHaveLength(2);
    expect(lines).toHaveLength(1);
  });

  it('keeps naming its collectors while its successors fail too', async () => {
    const { sampler, newest } = await samplingSampler();
    newest().emit('ended', 'exited with code 1');
    pass(1000);
    newest().say({ kind: 'failed', reason: 'still broken' });
    expect(sampler.state).toMatchObject({ reason: 'still broken', collectors: [{}, {}] });
  });
});

describe('stop()', () => {
  it('kills it and starts no other', async () => {
    const { sampler, samplers, newest } = await samplingSampler();
    sampler.stop();
    expect(newest().kill).toHaveBeenCalledOnce();
    newest().emit('ended', 'exited with code 1');
    pass(600_000);
    expect(samplers).toHaveLength(1);
  });

  it('also while a replacement is due', async () => {
    const { sampler, samplers, newest } = await samplingSampler();
    newest().emit('ended', 'exited with code 1');
    sampler.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(samplers).toHaveLength(1);
  });
});
