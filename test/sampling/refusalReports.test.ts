import { describe, expect, it } from 'vitest';
import type { Ending, RefusalDeltas } from '../../src/refusals/deltas.ts';
import type { CountedRegime, Refusals } from '../../src/refusals/openRefusals.ts';
import { RefusalReports } from '../../src/sampling/refusalReports.ts';

const CONNECT = { protocol: 'tcp', scope: 'connect' } as const;
const BIND = { protocol: 'tcp', scope: 'bind' } as const;
const UDP_BIND = { protocol: 'udp', scope: 'bind' } as const;
const REFUSED = { ...CONNECT, kind: 'refused' } as const;
const HOST = { netns: 1, cookie: '0:1' };
const STRANGER = { netns: 2, cookie: '0:2' };
const CALL = { localAddress: '10.0.0.5', remote: { address: '10.0.0.9', port: 443 } };
const NOTHING: RefusalDeltas = {
  host: [],
  namespaces: [],
  destinations: [],
  owners: [],
  events: [],
  failures: [],
  lost: { namespaces: 0, destinations: 0, owners: 0, events: 0, failures: 0 },
  leftOut: 0,
  missed: 0,
  interrupted: [],
};

class FakeRefusals implements Refusals {
  regimes: readonly CountedRegime[] = [
    { ...CONNECT, isCounted: true },
    { ...BIND, isCounted: false, reason: 'the kernel cannot trace functions' },
    { ...UDP_BIND, isCounted: false, reason: 'the kernel cannot trace functions' },
  ];
  deltas: RefusalDeltas | undefined;
  isClosed = false;

  drain() {
    const { deltas } = this;
    this.deltas = undefined;
    return deltas;
  }

  close() {
    this.isClosed = true;
  }
}

function opened(deltas?: Partial<RefusalDeltas>) {
  const refusals = new FakeRefusals();
  if (deltas !== undefined) refusals.deltas = { ...NOTHING, ...deltas };
  const reports = new RefusalReports(refusals, {
    netnsOf: (inode, kernelId) => (inode === 1 ? (kernelId === '0:1' ? 'host' : 'another') : undefined),
    ownerOf: (cgroupId) => (cgroupId === 77 ? 'web.service' : undefined),
  });
  return { refusals, reports };
}

const count = (ending: Ending, number = 1) => ({ ...HOST, ending, count: number });

describe('a report of refused calls', () => {
  it('says first what is counted, and why the rest is not', () => {
    const { reports } = opened();
    expect(reports.next()).toMatchObject({
      counted: [CONNECT],
      obstacles: ['TCP bind(), UDP bind(): the kernel cannot trace functions'],
      refused: [],
    });
  });

  it('is not made where nothing happened, until that changes', () => {
    const { refusals, reports } = opened();
    reports.next();
    expect(reports.next()).toBeUndefined();
    refusals.regimes = refusals.regimes.map((regime) => ({ ...regime, isCounted: false, reason: 'no' }));
    expect(reports.next()).toMatchObject({ counted: [] });
    expect(reports.next()).toBeUndefined();
  });

  it('tells certain refusals, likely ones and other failures apart', () => {
    const { reports } = opened({
      namespaces: [
        count(REFUSED, 4),
        count({ ...REFUSED, kind: 'looks_refused' }, 3),
        count({ ...BIND, kind: 'refused' }, 2),
        count({ kind: 'failed', error: 'ECONNREFUSED' }, 6),
        count({ kind: 'given_up' }, 1),
      ],
    });
    expect(reports.next()).toMatchObject({
      refused: [
        { ...CONNECT, netns: 'host', count: 4 },
        { ...BIND, netns: 'host', count: 2 },
      ],
      likely: [{ ...CONNECT, netns: 'host', count: 3 }],
      failures: [
        { netns: 'host', error: 'EADDRNOTAVAIL', count: 4 },
        { netns: 'host', error: 'EADDRNOTAVAIL', count: 3 },
        { netns: 'host', error: 'ECONNREFUSED', count: 6 },
        { netns: 'host', error: 'given_up', count: 1 },
      ],
    });
  });

  it('names destinations, owners and processes', () => {
    const { reports } = opened({
      destinations: [{ ...count(REFUSED, 4), ...CALL }],
      failures: [{ ...count({ kind: 'failed', error: 'ETIMEDOUT' }, 2), ...CALL }],
      owners: [
        { ...count(REFUSED, 3), cgroupId: 77 },
        { ...count(REFUSED, 1), cgroupId: 78 },
      ],
      events: [{ ...HOST, ...CALL, ending: REFUSED, atMs: 5, pid: 10, tid: 11, comm: 'curl', cgroupId: 77 }],
    });
    const key = { netns: 'host', localAddress: '10.0.0.5', remoteAddress: '10.0.0.9', remotePort: 443 };
    expect(reports.next()).toMatchObject({
      destinations: [{ ...key, count: 4 }],
      destinationFailures: [{ ...key, error: 'ETIMEDOUT', count: 2 }],
      owners: [
        { netns: 'host', owner: 'web.service', count: 3 },
        { netns: 'host', owner: 'unattributed', count: 1 },
      ],
      events: [
        {
          ...{ ...CONNECT, netns: 'host', atMs: 5, isLikely: false, pid: 10, process: 'curl' },
          ...{ owner: 'web.service', localAddress: '10.0.0.5', remote: CALL.remote },
        },
      ],
    });
  });

  it('has no destination of bind(), which has none', () => {
    const { reports } = opened({
      destinations: [{ ...count({ ...BIND, kind: 'refused' }), localAddress: '0.0.0.0', remote: undefined }],
    });
    expect(reports.next()?.destinations).toEqual([]);
  });

  it('leaves out namespaces that are not sampled, and does not take one for another', () => {
    const { reports } = opened({
      namespaces: [
        { ...STRANGER, ending: REFUSED, count: 9 },
        { ...HOST, cookie: '0:9', ending: REFUSED, count: 1 },
      ],
      events: [{ ...STRANGER, ...CALL, ending: REFUSED, atMs: 5, pid: 10, tid: 11, comm: 'x', cgroupId: 77 }],
    });
    const report = reports.next();
    expect(report?.refused).toEqual([{ ...CONNECT, netns: 'another', count: 1 }]);
    expect(report?.events).toEqual([]);
  });

  it('says what may be missing', () => {
    const { reports } = opened({
      lost: { ...NOTHING.lost, destinations: 7, failures: 8, events: 9 },
      leftOut: 3,
      interrupted: [CONNECT],
    });
    expect(reports.next()).toMatchObject({
      lost: { namespaces: 0, destinations: 7, failures: 8, owners: 0 },
      leftOut: 3,
      interruptions: ['TCP connect()'],
    });
  });

  it('is the last once the counting ends', () => {
    const { refusals, reports } = opened();
    reports.close();
    expect(refusals.isClosed).toBe(true);
  });
});
