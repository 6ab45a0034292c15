import { describe, expect, it } from 'vitest';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { RecordedHistory } from '../../src/status/history.ts';
import { levelOf } from '../../src/status/level.ts';
import { statusOf } from '../../src/status/status.ts';
import { PROBES } from '../metrics/probeStates.ts';
import {
  EMPTY_NAMESPACE,
  estimatedAt,
  failing,
  RICH_NAMESPACE,
  sampled,
  withResults,
} from '../metrics/snapshots.ts';

const SAMPLED_AT = 1_700_000_000_500;
const FAILED: SamplingState = { kind: 'failed', reason: 'the sampler hangs', collectors: [] };

function status(
  state: SamplingState,
  { wanted, nowMs = SAMPLED_AT }: { wanted?: string; nowMs?: number } = {},
) {
  return statusOf(state, new RecordedHistory(), { nowMs, bootMs: 0, wanted });
}

function named<Namespace extends NamespaceSnapshot>(netns: string, namespace: Namespace): Namespace {
  return { ...namespace, netns };
}

/** All regimes at this ratio, read whole or as estimates only. */
function at(netns: string, ratio: number, detail: NamespaceSnapshot['detail'] = 'full'): NamespaceSnapshot {
  const regime = { ratio, available: Math.round((1 - ratio) * 95) };
  if (detail === 'estimated') return named(netns, estimatedAt(RICH_NAMESPACE, { tcp: regime, udp: regime }));
  const { tcp, udp } = RICH_NAMESPACE.results;
  const both = { connect: regime, bind: regime };
  return named(netns, withResults(RICH_NAMESPACE, { tcp: { ...tcp, ...both }, udp: { ...udp, ...both } }));
}

const netnsOf = (rows: readonly { readonly netns: string }[]) => rows.map(({ netns }) => netns);

describe('levels', () => {
  it.each([
    [0, 'ok'],
    [0.4999, 'ok'],
    [0.5, 'half'],
    [0.8, 'near'],
    [0.9499, 'near'],
    [0.95, 'imminent'],
    [0.99999, 'imminent'],
    [1, 'exhausted'],
  ])('%s is %s', (ratio, level) => {
    expect(levelOf(ratio)).toBe(level);
  });
});

describe('the regimes', () => {
  it('are always four, each with its error, its numbers and its worst key', () => {
    const { shown } = status(sampled(RICH_NAMESPACE));
    const { tcp, udp } = RICH_NAMESPACE.results;
    expect(shown?.regimes).toEqual([
      {
        ...{ protocol: 'tcp', scope: 'connect', error: 'EADDRNOTAVAIL', isCalled: true },
        numbers: {
          ...{ ...tcp?.connect, usable: 95, isEstimated: false, peak: 0.5 },
          worst: { kind: 'destination', from: '10.0.0.1', to: '203.0.113.1', port: 443 },
        },
      },
      {
        ...{ protocol: 'tcp', scope: 'bind', error: 'EADDRINUSE', isCalled: true },
        numbers: {
          ...{ ...tcp?.bind, usable: 95, isEstimated: false, peak: 0.5 },
          worst: { kind: 'address', address: '10.0.0.1' },
        },
      },
      {
        ...{ protocol: 'udp', scope: 'connect', error: 'EAGAIN', isCalled: true },
        numbers: { ...udp?.connect, usable: 95, isEstimated: false, peak: 0.5, worst: { kind: 'any' } },
      },
      {
        ...{ protocol: 'udp', scope: 'bind', error: 'EADDRINUSE', isCalled: false },
        numbers: {
          ...{ ...udp?.bind, usable: 95, isEstimated: false, peak: 0.5 },
          worst: { kind: 'address', address: expect.stringMatching(/^10\.0\.0\.[12]$|^fd00::1$/) },
        },
      },
    ]);
  });

  it('of a namespace without sockets name no key', () => {
    const { shown } = status(sampled(EMPTY_NAMESPACE));
    expect(shown?.regimes.map(({ numbers }) => numbers?.worst.kind)).toEqual(['any', 'any', 'any', 'any']);
  });

  it('name no key that a limit left out', () => {
    const { tcp } = RICH_NAMESPACE.results;
    const without = {
      ...tcp,
      destinations: { ...tcp.destinations, fullest: [] },
      localAddresses: { ...tcp.localAddresses, fullest: [] },
    };
    const { shown } = status(sampled(withResults(RICH_NAMESPACE, { tcp: without })));
    expect(shown?.regimes.slice(0, 2).map(({ numbers }) => numbers?.worst.kind)).toEqual([
      'unknown',
      'unknown',
    ]);
  });

  it('are bounds where not every socket was read', () => {
    const { shown } = status(sampled(at('pod', 0.04, 'estimated')));
    for (const { numbers } of shown?.regimes ?? []) {
      expect(numbers).toMatchObject({ ratio: 0.04, isEstimated: true, worst: { kind: 'unknown' } });
    }
    expect(shown?.destinations).toBeUndefined();
    expect(shown?.listeners.total).toBe(RICH_NAMESPACE.results.tcp.listeners.total);
  });

  it('that failed have no numbers, and leave the others theirs', () => {
    const state = sampled(failing(RICH_NAMESPACE, 'tcp'));
    const { shown, sample } = status(state);
    expect(shown?.regimes.map(({ numbers }) => numbers !== undefined)).toEqual([false, false, true, true]);
    expect(shown?.destinations).toBeUndefined();
    expect(sample?.failures).toEqual([
      { netns: 'host', collector: 'tcp', finds: 'numbers', error: 'it went wrong' },
    ]);
  });
});

describe('namespaces', () => {
  it('come the worst first, and that is the one shown', () => {
    const { namespaces, shown } = status(
      sampled(at('host', 0.3), at('a', 0.96), at('b', 0.81), at('c', 0.2)),
    );
    expect(netnsOf(namespaces)).toEqual(['a', 'b', 'host', 'c']);
    expect(shown?.netns).toBe('a');
  });

  it('of which only the bound is known come after others of their level, and before those of a lower one', () => {
    const { namespaces } = status(
      sampled(at('host', 0.02), at('a', 0.05, 'estimated'), at('b', 0.6, 'estimated'), at('c', 0.01)),
    );
    expect(netnsOf(namespaces)).toEqual(['b', 'host', 'c', 'a']);
  });

  it('that are equal keep their order, the own one first', () => {
    const { namespaces } = status(sampled(at('host', 0.5), at('a', 0.5), at('b', 0.5)));
    expect(netnsOf(namespaces)).toEqual(['host', 'a', 'b']);
  });

  it('of which nothing is known come last', () => {
    const unknown = failing(named('x', RICH_NAMESPACE), 'range', 'tcp', 'udp', 'owners');
    const { namespaces } = status(sampled(unknown, at('a', 0)));
    expect(namespaces.map(({ netns, worst }) => [netns, worst?.numbers.ratio])).toEqual([
      ['a', 0],
      ['x', undefined],
    ]);
  });

  it('can be asked for', () => {
    const state = sampled(at('host', 0.3), at('a', 0.96));
    expect(status(state, { wanted: 'host' })).toMatchObject({ shown: { netns: 'host' }, absent: undefined });
    const absent = status(state, { wanted: 'b' });
    expect(absent).toMatchObject({ shown: undefined, absent: 'b' });
    expect(absent.namespaces).toHaveLength(2);
  });

  it('are as old as their own sample', () => {
    const { namespaces, sample } = status(sampled(RICH_NAMESPACE), { nowMs: SAMPLED_AT + 2000 });
    expect(sample).toMatchObject({ ageMs: 2000, intervalMs: 5000, durationMs: 250, source: 'netlink' });
    expect(namespaces[0]?.ageMs).toBe(2250);
  });
});

describe('a problem', () => {
  it('is none while the sample is fresh and whole', () => {
    expect(status(sampled(RICH_NAMESPACE)).problem).toBeUndefined();
  });

  it('is a sample that is too old, a collector of the own namespace that failed, and no sample', () => {
    expect(status(sampled(RICH_NAMESPACE), { nowMs: SAMPLED_AT + 60_000 }).problem).toBe(
      'the last sample is 1m old',
    );
    expect(status(sampled(failing(RICH_NAMESPACE, 'udp'))).problem).toBe(
      'collector udp of host failed: it went wrong',
    );
    expect(status(FAILED).problem).toBe('the sampler hangs');
  });

  it('without a sample leaves no number, but the hour before', () => {
    const history = new RecordedHistory();
    history.record({ namespaces: [at('host', 0.7), at('a', 0.9)], intervalSeconds: 5 }, 0);
    const shown = statusOf(FAILED, history, { nowMs: SAMPLED_AT, bootMs: 60_000 });
    expect(shown).toMatchObject({ sample: undefined, namespaces: [], shown: undefined, gone: [] });
    expect(shown.hour?.netns).toBe('host');
    const asked = statusOf(FAILED, history, { nowMs: SAMPLED_AT, bootMs: 60_000, wanted: 'a' });
    expect(asked.hour?.netns).toBe('a');
  });
});

describe('the last hour', () => {
  const history = new RecordedHistory();
  history.record({ namespaces: [at('host', 0.1), at('a', 0.9), at('b', 0.4)], intervalSeconds: 5 }, 0);
  history.record({ namespaces: [at('host', 0.1)], intervalSeconds: 5 }, 20_000);
  const seen = (wanted?: string) =>
    statusOf(sampled(at('host', 0.1)), history, { nowMs: SAMPLED_AT, bootMs: 20_000, wanted });

  it('is that of the namespace shown', () => {
    expect(seen().hour).toMatchObject({ netns: 'host' });
    expect(seen().namespaces[0]?.hourPeak).toMatchObject({ ratio: 0.1, isEstimated: false });
  });

  it('names those that came near and are gone', () => {
    expect(seen().gone).toEqual([
      { netns: 'a', ratio: 0.9, isEstimated: false, agoMs: 15_000, isPresent: false },
    ]);
  });

  it('names those that were measured before those that were only bounded', () => {
    const both = new RecordedHistory();
    both.record(
      { namespaces: [at('host', 0.1), at('a', 1, 'estimated'), at('b', 0.887)], intervalSeconds: 5 },
      0,
    );
    both.record({ namespaces: [at('host', 0.1)], intervalSeconds: 5 }, 20_000);
    const { gone } = statusOf(sampled(at('host', 0.1)), both, { nowMs: SAMPLED_AT, bootMs: 20_000 });
    expect(gone.map(({ netns, ratio, isEstimated }) => [netns, ratio, isEstimated])).toEqual([
      ['b', 0.887, false],
      ['a', 1, true],
    ]);
  });

  it('of one that is gone can be asked for', () => {
    expect(seen('a')).toMatchObject({ absent: 'a', shown: undefined, hour: { netns: 'a' } });
  });
});

describe('listeners', () => {
  it('come with the fullest queue first, then those that dropped', () => {
    const [listener] = RICH_NAMESPACE.listeners;
    if (listener === undefined) throw new Error('no listener');
    const one = (
      port: number,
      acceptQueue: number | undefined,
      acceptQueueLimit: number | undefined,
      dropped = 0,
    ) => ({
      ...{ ...listener, port, acceptQueue, acceptQueueLimit, dropped, connections: 0 },
    });
    const listeners = [
      one(1, 0, 511),
      one(2, 9, 4096),
      one(3, 0, 511, 5),
      one(4, 3, 2),
      one(5, undefined, undefined),
      one(6, 60, 128),
    ];
    const { shown, namespaces } = status(sampled({ ...RICH_NAMESPACE, listeners }));
    expect(shown?.listeners.fullest.map(({ port }) => port)).toEqual([4, 6, 2, 3, 1, 5]);
    // The kernel lets one more wait than the limit says.
    expect(namespaces[0]?.fullestQueue).toBe(1);
  });

  it('of which no queue is known leave it unknown', () => {
    const { namespaces } = status(sampled({ ...RICH_NAMESPACE, listeners: [] }));
    expect(namespaces[0]?.fullestQueue).toBeUndefined();
  });
});

describe('owners', () => {
  it('of both protocols are one list, those with most ports first', () => {
    const owners = {
      tcp: {
        total: 3,
        fullest: [
          { owner: 'a', ports: 5 },
          { owner: 'b', ports: 3 },
        ],
      },
      udp: { total: 1, fullest: [{ owner: 'b', ports: 9 }] },
    };
    const { shown } = status(sampled(withResults(RICH_NAMESPACE, { owners })));
    expect(shown?.owners).toEqual({
      total: 3,
      fullest: [
        { owner: 'b', tcp: 3, udp: 9 },
        { owner: 'a', tcp: 5, udp: undefined },
      ],
    });
  });

  it('are unknown where nothing is attributed', () => {
    const owners = undefined;
    expect(status(sampled(withResults(RICH_NAMESPACE, { owners }))).shown?.owners).toBeUndefined();
  });
});

describe("the kernel's answers", () => {
  it('are those where it was asked, and how often they were others than calculated', () => {
    const { shown, namespaces } = status(sampled(RICH_NAMESPACE));
    expect(shown?.canary?.answers.map(({ protocol, family }) => `${protocol} ${family}`)).toEqual([
      'tcp ipv4',
      'udp ipv4',
    ]);
    expect(shown?.canary?.disagreements).toBe(3);
    expect(namespaces[0]?.kernelDisagrees).toBe(true);
  });

  it('are none where it was not', () => {
    const { shown, namespaces } = status(sampled(withResults(RICH_NAMESPACE, { canary: undefined })));
    expect(shown?.canary).toBeUndefined();
    expect(namespaces[0]?.kernelDisagrees).toBe(false);
  });
});

describe('probes', () => {
  const probesAt = (probes: typeof PROBES) =>
    statusOf(FAILED, new RecordedHistory(), { nowMs: SAMPLED_AT + 3000, bootMs: 0, probes }).probes;

  it('come with those that failed first, of which those that found no port are the first', () => {
    const probes = probesAt(PROBES);
    expect(probes?.rows.map(({ failure }) => failure?.reason)).toEqual([
      'no_local_port',
      'name_not_found',
      undefined,
    ]);
    expect(probes).toMatchObject({ failing: 2, waiting: 1, fileIsBad: true });
    expect(probes?.rows[2]).toMatchObject({ target: 'db', resolveSeconds: 0.25, ageMs: 3000 });
  });

  it('name the address that the failure is of', () => {
    const [one] = PROBES.results.probed;
    if (one === undefined) throw new Error('none');
    const failed = { connected: false, seconds: 0.1 } as const;
    const outcome = {
      ...one.outcome,
      failure: { reason: 'no_local_port', error: 'EADDRNOTAVAIL' },
      attempts: [
        { ...failed, address: '192.0.2.1', reason: 'no_local_port', error: 'EADDRNOTAVAIL' },
        { ...failed, address: '192.0.2.2', reason: 'refused', error: 'ECONNREFUSED' },
      ],
    } as const;
    const probes = probesAt({ ...PROBES, results: { targets: 1, probed: [{ ...one, outcome }] } });
    expect(probes?.rows[0]?.address).toBe('192.0.2.1');
  });

  it('are undefined where nobody asked for any', () => {
    const none = { results: { targets: 0, probed: [] }, fileIsGood: true };
    expect(probesAt(none)).toBeUndefined();
    expect(probesAt({ ...none, fileIsGood: undefined })).toBeUndefined();
    expect(probesAt({ ...none, fileIsGood: false })).toMatchObject({ rows: [], fileIsBad: true });
    expect(status(sampled(RICH_NAMESPACE)).probes).toBeUndefined();
  });
});
