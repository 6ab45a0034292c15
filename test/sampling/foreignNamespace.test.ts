import { describe, expect, it } from 'vitest';
import type { SocketTotals } from '../../src/kernel/sockstat.ts';
import { ForeignNamespace } from '../../src/sampling/foreignNamespace.ts';
import type { SampledNamespace } from '../../src/sampling/sampledNamespace.ts';
import type { NamespaceSample } from '../../src/snapshot/snapshot.ts';

const NONE: SocketTotals = { open: 0, timeWait: 0, udp: 0 };

function newNamespace(): ForeignNamespace {
  return new ForeignNamespace(
    { inode: 1, path: '/run/netns/blue', pid: undefined, name: 'blue' },
    { netns: 'blue', inode: 1, process: '', container: '', podUid: '' },
  );
}

/** A sample of a namespace with a hundred usable ports. */
function sampleOf(detail: 'full' | 'bounded', peakRatio = 0): NamespaceSample {
  return {
    ...{ detail, sampledAtMs: 0, collectors: [], bounds: undefined, tcp: undefined, udp: undefined },
    range: { usable: 100 } as NamespaceSample['range'],
    peaks: [{ protocol: 'tcp', scope: 'connect', ratio: peakRatio }],
    owners: { tcp: undefined, udp: undefined },
    canary: [],
  };
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
    namespace.surveyed(sampleOf('bounded'), { ...NONE, ...totals }, above);
    expect(namespace.isDue).toBe(isDue);
  });

  it('where not even the range is known and there are sockets: that says why', () => {
    const namespace = newNamespace();
    namespace.surveyed({ ...sampleOf('bounded'), range: undefined }, { ...NONE, open: 1 }, 0.05);
    expect(namespace.isDue).toBe(true);
  });

  it('as long as the last one saw enough', () => {
    const namespace = newNamespace();
    namespace.surveyed(sampleOf('bounded'), { ...NONE, open: 6 }, 0.05);
    namespace.dumped(sampleOf('full', 0.06));
    namespace.surveyed(sampleOf('bounded'), NONE, 0.05);
    expect(namespace.isDue).toBe(true);
    namespace.dumped(sampleOf('full', 0.05));
    namespace.surveyed(sampleOf('bounded'), NONE, 0.05);
    expect(namespace.isDue).toBe(false);
    expect(namespace.latest?.detail).toBe('bounded');
  });
});

describe('what is shown', () => {
  it('is the survey until it is read whole, then the last whole sample while it takes whole ones', () => {
    const namespace = newNamespace();
    expect(namespace.latest).toBeUndefined();
    const [survey, dump] = [sampleOf('bounded'), sampleOf('full')];
    namespace.surveyed(survey, { ...NONE, open: 50 }, 0.05);
    expect(namespace.latest).toBe(survey);
    namespace.dumped(dump);
    expect(namespace.latest).toBe(dump);
    namespace.surveyed(sampleOf('bounded'), { ...NONE, open: 50 }, 0.05);
    expect(namespace.latest).toBe(dump);
  });

  it('is the failure where it cannot be entered, and nothing old', () => {
    const namespace = newNamespace();
    namespace.surveyed(sampleOf('bounded'), { ...NONE, open: 50 }, 0.05);
    namespace.dumped(sampleOf('full'));
    namespace.failed('why');
    expect(namespace.isDue).toBe(false);
    expect(namespace.latest).toMatchObject({
      ...{ detail: 'bounded', range: undefined, bounds: undefined, peaks: [] },
      collectors: [{ collector: 'enter', error: 'why' }],
    });
  });

  it('is nothing where it was missed, or is not sampled any more', () => {
    for (const end of ['missed', 'closeSource'] as const) {
      const namespace = newNamespace();
      namespace.surveyed(sampleOf('bounded'), { ...NONE, open: 50 }, 0.05);
      namespace.dumped(sampleOf('full'));
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
  first.dumped(sampleOf('full'));
  expect(first.waitingSince).toBeGreaterThan(before);
});

it('closes what it opened, once', () => {
  const namespace = newNamespace();
  let closed = 0;
  namespace.sampler = { close: () => closed++ } as unknown as SampledNamespace;
  namespace.closeSource();
  namespace.closeSource();
  expect(closed).toBe(1);
});
