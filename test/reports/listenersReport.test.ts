import { describe, expect, it } from 'vitest';
import { LISTENER_SORT_KEYS, listenersReport } from '../../src/reports/listenersReport.ts';
import { EMPTY_NAMESPACE } from '../metrics/snapshots.ts';
import { lines, terminal } from './reports.ts';
import { json, listeners, UNKNOWN, WEB } from './samples.ts';

describe('who listens', () => {
  it('is a table by port, in which what is not known is a dash', () => {
    expect(lines(listeners([UNKNOWN, WEB]))).toEqual([
      'PROTO  ADDRESS    PORT  SERVICE  PROCESS    USER      OWNER          QUEUE  CONNS  DROPS',
      'tcp    0.0.0.0      80  http     nginx/812  www-data  nginx.service  3/511     12      4',
      'udp    ::       40010!  -        -          -         -                  -      -      -',
      expect.stringMatching(/^! in the ephemeral range: /),
    ]);
  });

  it('names their namespaces where several were asked', () => {
    const all = [
      { ...WEB, netns: 'web' },
      { ...WEB, port: 53, netns: 'host' },
    ];
    const report = listenersReport({ netns: 'all', listeners: all });
    expect(lines(report).map((line) => line.split(/ +/, 4).join(' '))).toEqual([
      'NETNS PROTO ADDRESS PORT',
      'host tcp 0.0.0.0 53',
      'web tcp 0.0.0.0 80',
    ]);
    expect(json(report)).toMatchObject({
      netns: 'all',
      listeners: [
        { netns: 'host', port: 53 },
        { netns: 'web', port: 80 },
      ],
    });
  });

  it('explains its mark only where it is used', () => {
    expect(lines(listeners([WEB])).join()).not.toContain('!');
  });

  it('shows a queue without a limit where the source tells none', () => {
    expect(lines(listeners([{ ...WEB, acceptQueueLimit: undefined }])).join()).toContain(' 3/? ');
  });

  it('can be asked of one port, and ends with 1 where nobody listens on it', () => {
    expect(lines(listeners([UNKNOWN, WEB], 80))).toHaveLength(2);
    expect(listeners([UNKNOWN, WEB], 80).exitCode).toBe(0);
    const none = listeners([UNKNOWN, WEB], 81);
    expect([lines(none), none.exitCode]).toEqual([['No listeners on port 81.'], 1]);
    expect(json(none)).toEqual({ netns: 'host', listeners: [] });
    expect([lines(listeners([])), listeners([]).exitCode]).toEqual([['No listeners.'], 0]);
  });

  it('can be filtered otherwise, and ends with 1 where nobody matches', () => {
    const of = (owner: string) =>
      listenersReport(
        { ...EMPTY_NAMESPACE, listeners: [UNKNOWN, WEB] },
        { matches: (listener) => listener.owner === owner },
      );
    expect([lines(of('nginx.service')).length, of('nginx.service').exitCode]).toEqual([2, 0]);
    expect([lines(of('x')), of('x').exitCode]).toEqual([['No listener matches the filter.'], 1]);
  });

  it('is sorted by any column: counts from the highest down, names from A to Z, what is not known last', () => {
    const all = [
      { ...WEB, port: 9000, connections: 3, owner: 'b.service', address: '10.0.0.10' },
      { ...UNKNOWN, port: 1 },
      { ...WEB, port: 80, connections: 20, owner: 'a.service', address: '10.0.0.9' },
    ];
    const portsBy = (sort?: string) => {
      const report = listenersReport({ ...EMPTY_NAMESPACE, listeners: all }, { sort });
      return (json(report)['listeners'] as { port: number }[]).map(({ port }) => port);
    };
    expect(portsBy()).toEqual([1, 80, 9000]);
    expect(portsBy('conns')).toEqual([80, 9000, 1]);
    expect(portsBy('owner')).toEqual([80, 9000, 1]);
    expect(portsBy('address')).toEqual([1, 80, 9000]);
    for (const key of LISTENER_SORT_KEYS) expect(portsBy(key).toSorted()).toEqual([1, 80, 9000]);
  });

  it('is JSON whose numbers are numbers, without what is not known', () => {
    expect(json(listeners([UNKNOWN, WEB]))).toEqual({
      netns: 'host',
      listeners: [
        {
          ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, service: 'http', process: 'nginx', pid: 812 },
          ...{ user: 'www-data', owner: 'nginx.service', acceptQueue: 3, acceptQueueLimit: 511 },
          ...{ connections: 12, dropped: 4, inEphemeralRange: false },
        },
        { protocol: 'udp', address: '::', port: 40_010, inEphemeralRange: true },
      ],
    });
  });

  it('has colour where something is wrong, and only on a terminal that wants it', () => {
    const full = { ...WEB, acceptQueue: 512, dropped: 0 };
    const text = listeners([full]).text(terminal(200, true));
    expect(text).toContain('\u001b[31m512/511\u001b[39m');
    expect(text).not.toContain('\u001b[33m');
    lines(listeners([full, UNKNOWN]), terminal(200, false));
  });
});
