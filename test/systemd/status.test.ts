import { describe, expect, it } from 'vitest';
import type { RefusalReport } from '../../src/snapshot/refusals.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { statusOf } from '../../src/systemd/status.ts';
import { isNews } from '../../src/systemd/statusNews.ts';
import { BIND, QUIET, refusalsAfter, STORM } from '../metrics/refusalStates.ts';
import {
  EMPTY_NAMESPACE,
  estimatedAt,
  failing,
  RICH_NAMESPACE,
  sampled,
  withResults,
} from '../metrics/snapshots.ts';
import { destinationOf, natNamespace, tableOf } from '../status/snat.ts';

const NOW = 1_700_000_001_000;
const wordsOf = (state: SamplingState, nowMs = NOW) => statusOf(state, nowMs).words;

function estimated(netns: string, tcp: number, udp: number): NamespaceSnapshot {
  return estimatedAt(
    { ...EMPTY_NAMESPACE, netns },
    { tcp: { ratio: tcp, available: 1 }, udp: { ratio: udp, available: 1 } },
  );
}

describe('the status', () => {
  it('names the worst of all regimes and namespaces', () => {
    const { tcp, udp } = RICH_NAMESPACE.results;
    const pod = { ...RICH_NAMESPACE, netns: 'pod-1' };
    const connect = { ratio: 0.878, available: 3451 };
    const full = withResults(pod, { tcp: { ...tcp, connect } });
    expect(wordsOf(sampled(EMPTY_NAMESPACE, RICH_NAMESPACE, full))).toBe(
      'worst: tcp connect 87.8 % used, 3451 ports left, in pod-1; 3 namespaces; a sample every 5s',
    );
    const uncertain = withResults(pod, { tcp: { ...tcp, connect: { ...connect, availableAtLeast: 9 } } });
    expect(wordsOf(sampled(uncertain))).toContain('87.8 % used, at least 9 ports left, in pod-1');
    const last = withResults(pod, {
      ...{ tcp: { ...tcp, connect }, udp: { ...udp, connect: { ratio: 0.9895, available: 1 } } },
    });
    expect(wordsOf(sampled(last))).toBe(
      'worst: udp connect 99.0 % used, 1 port left, in pod-1; 1 namespace; a sample every 5s',
    );
    // What was measured comes before what was not read whole.
    expect(wordsOf(sampled(full, estimated('blue', 1, 1)))).toContain(
      '87.8 % used, 3451 ports left, in pod-1',
    );
  });

  it('is about the NAT where packets vanish behind it, or the table is full', () => {
    const words = (...of: Parameters<typeof natNamespace>) =>
      wordsOf(sampled(EMPTY_NAMESPACE, natNamespace(...of)));
    const rest = 'in router; 2 namespaces; a sample every 5s';
    expect(words('router', [destinationOf({ ratio: 0.62, refusalRatio: 0.25 })])).toBe(
      `worst: tcp behind the NAT to 192.0.2.1:443 up to 25.0 % of new packets vanish, ${rest}`,
    );
    expect(words('router', [destinationOf({ ratio: 0.62 })])).toBe(
      `worst: tcp behind the NAT to 192.0.2.1:443 62.0 % used, 380 ports left, ${rest}`,
    );
    expect(words('router', [], tableOf(5000, 5000))).toBe(
      `worst: conntrack table full, packets of new connections vanish, ${rest}`,
    );
    expect(words('router', [], tableOf(4999, 5000))).toBe(
      `worst: conntrack table 99.9 % full, 1 entry left, ${rest}`,
    );
    expect(words('router', [destinationOf({ ratio: 0.3 })])).toContain('worst: tcp connect 0.0 % used');
  });

  it('begins with the calls that were refused in the last 15 minutes, and where most were', () => {
    const state = sampled(EMPTY_NAMESPACE);
    const words = (reports: readonly RefusalReport[], nowMs = NOW) =>
      statusOf(state, nowMs, refusalsAfter(reports, NOW)).words;
    expect(words([STORM])).toMatch(/^5 calls refused in the last 15m, tcp connect in host; worst: /);
    const inPod = { ...QUIET, refused: [{ ...BIND, netns: 'pod-1', count: 9 }] };
    expect(words([STORM, inPod])).toMatch(
      /^14 calls refused in the last 15m, most tcp bind in pod-1; worst: /,
    );
    expect(words([QUIET])).toMatch(/^worst: /);
    expect(words([STORM], NOW + 16 * 60_000)).not.toContain('refused');
  });

  it('is about the own namespace where nobody uses a port', () => {
    expect(wordsOf(sampled(EMPTY_NAMESPACE, { ...EMPTY_NAMESPACE, netns: 'blue' }))).toBe(
      'worst: tcp connect 0.0 % used, 95 ports left, in host; 2 namespaces; a sample every 5s',
    );
  });

  it('says where it is an upper bound', () => {
    expect(wordsOf(sampled(EMPTY_NAMESPACE, estimated('blue', 0.6, 0.02)))).toBe(
      'worst: tcp at most 60.0 % used (estimated), in blue; 2 namespaces; a sample every 5s',
    );
  });

  it('says what failed, and what is still known', () => {
    expect(wordsOf(sampled(failing(EMPTY_NAMESPACE, 'tcp')))).toBe(
      'not ready: collector tcp of host failed: it went wrong; worst: udp connect 0.0 % used, 95 ports left, in host; 1 namespace; a sample every 5s',
    );
    expect(wordsOf(sampled(failing(EMPTY_NAMESPACE, 'range', 'tcp', 'udp')))).toBe(
      'not ready: collector range of host failed: it went wrong; 1 namespace; a sample every 5s',
    );
  });

  it('shows no numbers that are old, and none where there are none', () => {
    expect(wordsOf(sampled(RICH_NAMESPACE), NOW + 60_000)).toBe('not ready: the last sample is 1m500ms old');
    const state = { kind: 'failed', reason: 'the sampler died: oops', collectors: [] } as const;
    expect(wordsOf(state)).toBe('not ready: the sampler died: oops');
  });

  it('is one line, whatever a namespace is called, and no longer than a message may be', () => {
    const words = wordsOf(sampled({ ...RICH_NAMESPACE, netns: `a\nMAINPID=1\u202e${'€'.repeat(3000)}` }));
    expect(words).toContain(String.raw`in a\u000aMAINPID=1\u202e€€€`);
    expect(Buffer.byteLength(`READY=1\nSTATUS=${words}`)).toBeLessThan(4096);
  });
});

describe('a status is said again', () => {
  const said = { words: 'tcp 50.0 %', subject: 'tcp', ratio: 0.5 };
  const minutes = 60_000;

  it.each([
    ['never as it was', said, 60 * minutes, false],
    ['where a hundredth of the ports was taken', { ...said, words: 'tcp 51.0 %', ratio: 0.51 }, 10_000, true],
    ['or given back', { ...said, words: 'tcp 49.0 %', ratio: 0.49 }, 10_000, true],
    ['but not sooner than 10 s', { ...said, words: 'tcp 90.0 %', ratio: 0.9 }, 9_999, false],
    ['where it is about something else', { ...said, words: 'udp 50.0 %', subject: 'udp' }, 10_000, true],
    ['after 5 minutes where less changed', { ...said, words: 'tcp 50.1 %', ratio: 0.501 }, 5 * minutes, true],
    ['and not before', { ...said, words: 'tcp 50.1 %', ratio: 0.501 }, 5 * minutes - 1, false],
  ])('%s', (_, status, elapsedMs, expected) => {
    expect(isNews(status, said, elapsedMs)).toBe(expected);
  });
});
