import { describe, expect, it } from 'vitest';
import type { SocketTotals } from '../../src/kernel/sockstat.ts';
import { ForeignNamespace } from '../../src/sampling/foreignNamespace.ts';
import type { SampledNamespace } from '../../src/sampling/sampledNamespace.ts';
import type { Results } from '../../src/snapshot/results.ts';
import type { EstimatedSample, FullSample } from '../../src/snapshot/sample.ts';

const NONE: SocketTotals = { open: 0, timeWait: 0, udp: 0 };

function newNamespace(): ForeignNamespace {
  return new ForeignNamespace(
    { inode: 1, path: '/run/netns/blue', pid: undefined, name: 'blue' },
    { netns: 'blue', inode: 1, process: '', container: '', podUid: '' },
  );
}

/** What is found in a namespace with a hundred usable ports. */
const results = { range: { usable: 100 } as Results['range'] };

function fullSample(peakRatio = 0): FullSample {
  const peaks = [{ protocol: 'tcp', scope: 'connect', ratio: peakRatio }] as const;
  return { detail: 'full', sampledAtMs: 0, outcomes: [], results, peaks };
}

function estimatedSample(): EstimatedSample {
  return { detail: 'estimated', sampledAtMs: 0, outcomes: [], results, peaks: [] };
}

describe('a whole dump is due', () => {
  it.each<[Partial<SocketTotals>, number, boolean]>([
    [{ open: 5 }, 0.05, false],
    [{ open: 6 }, 0.05, true],
    [{ timeWait: 6 }, 0.05, true],
    [{ open: 3, timeWait: 3 }, 0.05, true],
    [{ udp: 5 }, 0.05, false],
    [{ udp: 6 }, 0.05, true],
    // UDP sockets are among the open ones.
    [{ open: 5, udp: 5 }, 0.05, false],
    [{}, 0, false],
    [{ open: 1 }, 0, true],
    [{ open: 100 }, 1, false],
    [{ open: 101 }, 1, true],
  ])('%j above %d of 100: %s', (totals, above, isDue) => {
    const namespace = newNamespace();
    namespace.estimated(estimatedSample(), { ...NONE, ...totals }, above);
    expect(namespace.isDue).toBe(isDue);
  });

  it('where not even the range is known and there are sockets: that says why', () => {
    const namespace = newNamespace();
    namespace.estimated({ ...estimatedSample(), results: {} }, { ...NONE, open: 1 }, 0.05);
    expect(namespace.isDue).toBe(true);
  });

  it('as long as the last one saw enough', () => {
    const namespace = newNamespace();
    namespace.estimated(estimatedSample(), { ...NONE, open: 6 }, 0.05);
    namespace.read(fullSample(0.06));
    namespace.estimated(estimatedSample(), NONE, 0.05);
    expect(namespace.isDue).toBe(true);
    namespace.read(fullSample(0.05));
    namespace.estimated(estimatedSample(), NONE, 0.05);
    expect(namespace.isDue).toBe(false);
    expect(namespace.latest?.detail).toBe('estimated');
  });
});

describe('what is shown', () => {
  it('is the estimate until it is read whole, then the last whole sample while it takes whole ones', () => {
    const namespace = newNamespace();
    expect(namespace.latest).toBeUndefined();
    const [estimated, full] = [estimatedSample(), fullSample()];
    namespace.estimated(estimated, { ...NONE, open: 50 }, 0.05);
    expect(namespace.latest).toBe(estimated);
    namespace.read(full);
    expect(namespace.latest).toBe(full);
    namespace.estimated(estimatedSample(), { ...NONE, open: 50 }, 0.05);
    expect(namespace.latest).toBe(full);
  });

  it('is the failure where it cannot be entered, and nothing old', () => {
    const namespace = newNamespace();
    namespace.estimated(estimatedSample(), { ...NONE, open: 50 }, 0.05);
    namespace.read(fullSample());
    namespace.failed('why');
    expect(namespace.isDue).toBe(false);
    expect(namespace.latest).toMatchObject({
      ...{ detail: 'estimated', results: {}, peaks: [] },
      outcomes: [{ collector: 'enter', error: 'why' }],
    });
  });

  it('is nothing where it was missed, or is not sampled any more', () => {
    for (const end of ['missed', 'closeSource'] as const) {
      const namespace = newNamespace();
      namespace.estimated(estimatedSample(), { ...NONE, open: 50 }, 0.05);
      namespace.read(fullSample());
      namespace[end]();
      expect(namespace.latest).toBeUndefined();
      expect(namespace.isDue).toBe(false);
    }
  });
});

it('who was read, or found, the longest ago is first in turn', () => {
  const [first, second] = [newNamespace(), newNamespace()];
  expect(first.waitingSince).toBeLessThanOrEqual(second.waitingSince);
  const before = second.waitingSince;
  first.read(fullSample());
  expect(first.waitingSince).toBeGreaterThan(before);
});

it('closes what it opened, once', () => {
  const namespace = newNamespace();
  let closed = 0;
  namespace.opened = { close: () => closed++ } as unknown as SampledNamespace;
  namespace.closeSource();
  namespace.closeSource();
  expect(closed).toBe(1);
});
