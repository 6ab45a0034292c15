import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../src/aggregate/destinations.ts';
import type { Listener } from '../../src/aggregate/listeners.ts';
import { destinationsReport, type OwnedDestination } from '../../src/reports/destinationsReport.ts';
import type { Explained } from '../../src/reports/explained.ts';
import { explainReport } from '../../src/reports/explainReport.ts';
import { listenersReport } from '../../src/reports/listenersReport.ts';
import { printReport } from '../../src/reports/report.ts';
import type { DescribedListener } from '../../src/sampler/describedListener.ts';
import type { NamedHolder, NamedHolders } from '../../src/sampler/namedHolders.ts';
import { EMPTY_NAMESPACE, RICH_NAMESPACE } from '../metrics/snapshots.ts';
import { expectHarmless, lines, PIPE, terminal } from './reports.ts';

const WEB: DescribedListener = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, family: 4, ipv6Only: false, inEphemeralRange: false },
  ...{ acceptQueue: 3, acceptQueueLimit: 511, dropped: 4, connections: 12 },
  ...{ service: 'http', process: 'nginx', pid: 812, user: 'www-data', unit: 'nginx.service' },
};
const UNKNOWN: DescribedListener = {
  ...{ protocol: 'udp', address: '::', port: 40_010, family: 6, ipv6Only: false, inEphemeralRange: true },
  ...{ acceptQueue: undefined, acceptQueueLimit: undefined, dropped: undefined, connections: undefined },
  ...{ service: '', process: '', pid: undefined, user: '', unit: '' },
};

function listeners(all: readonly DescribedListener[], port?: number) {
  return listenersReport({ ...EMPTY_NAMESPACE, listeners: all }, port);
}

/** As a program reads it. */
function json(report: Parameters<typeof printReport>[0]): Record<string, unknown> {
  return JSON.parse(printReport(report, true, PIPE));
}

describe('who listens', () => {
  it('is a table by port, in which what is not known is a dash', () => {
    expect(lines(listeners([UNKNOWN, WEB]))).toEqual([
      'PROTO  ADDRESS    PORT  SERVICE  PROCESS    USER      OWNER          QUEUE  CONNS  DROPS',
      'tcp    0.0.0.0      80  http     nginx/812  www-data  nginx.service  3/511     12      4',
      'udp    ::       40010!  -        -          -         -                  -      -      -',
      expect.stringMatching(/^! in the ephemeral range: /),
    ]);
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
    expect([lines(none), none.exitCode]).toEqual([['Nobody listens on port 81.'], 1]);
    expect(json(none)).toEqual({ netns: 'host', listeners: [] });
    expect([lines(listeners([])), listeners([]).exitCode]).toEqual([['Nobody listens.'], 0]);
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

const OWNERS: NamedHolder[] = [
  { owner: 'unattributed', established: 0, timeWait: 60, closeWait: 0, other: 0, ports: 60 },
  { owner: 'app.service', established: 22, timeWait: 0, closeWait: 5, other: 0, ports: 27 },
];
const HOLDERS: NamedHolders = { owners: OWNERS, timeWaitLeftMs: [4000, 5000, 5001, 29_000, 60_000] };
const DESTINATION: Destination = {
  ...{ localAddress: '192.0.2.10', remoteAddress: '203.0.113.7', remotePort: 443 },
  ...{ used: { established: 22, timeWait: 60, other: 5 }, reclaimable: 0, available: 5, ratio: 90 / 95 },
};

function destinations(rows: readonly OwnedDestination[], total: number) {
  const { tcp } = EMPTY_NAMESPACE;
  if (tcp === undefined) throw new Error('no TCP');
  return destinationsReport(
    { ...EMPTY_NAMESPACE, tcp: { ...tcp, destinations: { total, fullest: [] } } },
    rows,
  );
}

describe('the fullest destinations', () => {
  it('are a table with who holds what', () => {
    const ipv6 = { ...DESTINATION, localAddress: '2001:db8::1', remoteAddress: '2001:db8::2' };
    const rows = [DESTINATION, ipv6].map((destination) => ({ destination, holders: HOLDERS }));
    expect(lines(destinations(rows, 3))).toEqual([
      'FROM         TO                 ESTAB  TIME-WAIT  OTHER  REUSABLE  LEFT    USED  OWNERS',
      '192.0.2.10   203.0.113.7:443       22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '2001:db8::1  [2001:db8::2]:443     22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '1 more destination; --limit shows more.',
    ]);
  });

  it('name no more owners than a cell can hold', () => {
    const owners = [1, 2, 3, 4, 5].map((ports) => ({
      ...(OWNERS[0] as NamedHolder),
      owner: `o${ports}`,
      ports,
    }));
    const [, row] = lines(destinations([{ destination: DESTINATION, holders: { ...HOLDERS, owners } }], 1));
    expect(row).toMatch(/ o1 1, o2 2, o3 3, 2 more$/);
  });

  it('have no owners where the source does not tell', () => {
    const owners = OWNERS.map((owner) => ({ ...owner, owner: undefined }));
    const report = destinations([{ destination: DESTINATION, holders: { ...HOLDERS, owners } }], 1);
    expect(lines(report)[1]).toMatch(/ 94\.7 % {2}-$/);
    expect(JSON.stringify(json(report))).not.toContain('"owner"');
  });

  it('are none, or none shown', () => {
    expect(lines(destinations([], 0))).toEqual(['No destination holds an ephemeral port.']);
    expect(lines(destinations([], 7))).toEqual(['7 more destinations; --limit shows more.']);
  });

  it('are JSON', () => {
    expect(json(destinations([{ destination: DESTINATION, holders: HOLDERS }], 4))).toEqual({
      netns: 'host',
      total: 4,
      destinations: [{ ...DESTINATION, owners: OWNERS }],
    });
  });

  it.each([
    [0, '0.0 %'],
    [1e-9, '0.1 %'],
    [0.5, '50.0 %'],
    [0.99999, '99.9 %'],
    [1, '100.0 %'],
  ])('that are %d full are %s used: never all but for the last port', (ratio, text) => {
    const report = destinations([{ destination: { ...DESTINATION, ratio }, holders: HOLDERS }], 1);
    expect(lines(report)[1]).toContain(` ${text} `);
  });
});

function explained(more: Partial<Explained> = {}): Explained {
  const { netns, tcp, udp, range } = RICH_NAMESPACE;
  if (tcp === undefined || udp === undefined || range === undefined) throw new Error('nothing sampled');
  const inRange = {
    ...tcp.listeners.fullest[0],
    address: '::',
    port: 40_010,
    inEphemeralRange: true,
  } as Listener;
  const listening = { ...tcp.listeners, fullest: [...tcp.listeners.fullest, inRange] };
  const whole = { ...tcp, listeners: listening };
  return {
    netns,
    destination: DESTINATION,
    sourceAddresses: 1,
    holders: HOLDERS,
    tcp: whole,
    udp,
    range,
    ...more,
  };
}

describe('an explanation', () => {
  it('says what holds the ports, when they come back, what is in force and what would help', () => {
    expect(lines(explainReport(explained()))).toEqual([
      '192.0.2.10 → 203.0.113.7:443',
      '5 of 95 ports left (94.7 % used): 5 more connect() calls succeed.',
      '',
      'HELD BY       ESTAB  TIME-WAIT  CLOSE-WAIT  OTHER  PORTS',
      'unattributed      0         60           0      0     60',
      'app.service      22          0           5      0     27',
      expect.stringMatching(/^unattributed: the kernel keeps no owner for TIME_WAIT /),
      '',
      'TIME_WAIT GIVES BACK        PORTS',
      'now, to the next connect()      0',
      'within 5 s                      2',
      'within 15 s                     3',
      'within 30 s                     4',
      'within 60 s                     5',
      '',
      'BLOCKED FOR EVERY DESTINATION BY                        PORTS',
      'listeners                                                   1',
      'sockets that did only bind()                                1',
      'connections that did bind(address, 0) first (inferred)      1',
      '',
      'IN FORCE                                  VALUE',
      'net.ipv4.ip_local_port_range              40000 40099',
      'net.ipv4.ip_local_reserved_ports          5 of these',
      'net.ipv4.tcp_tw_reuse                     1 (always)',
      'net.ipv4.tcp_timestamps                   on',
      'age from which a TIME_WAIT can be reused  1000 ms',
      '',
      'OTHER CALLS                          LEFT   USED',
      'TCP bind(address, 0), worst address    89  6.3 %',
      'UDP connect() or sendto(), unbound     91  4.2 %',
      'UDP bind(address, 0), worst address    93  2.1 %',
      '',
      'FREES  WHAT WOULD HELP THIS DESTINATION, EACH ALONE',
      expect.stringContaining('net.ipv4.ip_local_port_range="1024 65535"'),
      expect.stringContaining('more addresses or ports of the destination'),
      expect.stringContaining('more source addresses'),
      expect.stringContaining('reuse connections'),
      expect.stringContaining('CLOSE_WAIT'),
      expect.stringContaining('fewer ports of the range in net.ipv4.ip_local_reserved_ports'),
      expect.stringContaining('IP_BIND_ADDRESS_NO_PORT before bind(address, 0)'),
      expect.stringContaining('close() sockets that did bind()'),
      expect.stringContaining('move listeners out of the ephemeral range: 40010'),
    ]);
  });

  it.each([
    [0, 'the next connect() fails with EADDRNOTAVAIL.'],
    [1, '1 more connect() call succeeds.'],
    [2, '2 more connect() calls succeed.'],
  ])('begins with what happens next: %i left', (available, verdict) => {
    const ratio = 1 - available / 95;
    const [, told] = lines(explainReport(explained({ destination: { ...DESTINATION, available, ratio } })));
    expect(told).toContain(verdict);
  });

  it('tells of other source addresses', () => {
    expect(lines(explainReport(explained({ sourceAddresses: 2 })))[2]).toBe(
      'From 1 other source address it is less full.',
    );
    expect(lines(explainReport(explained({ sourceAddresses: 3 })))[2]).toBe(
      'From 2 other source addresses it is less full.',
    );
  });

  it('of a destination that nobody is connected to leaves out what there is not', () => {
    const unused = {
      ...{ localAddress: undefined, remoteAddress: '203.0.113.9', remotePort: 443 },
      ...{
        used: { established: 0, timeWait: 0, other: 0 },
        reclaimable: 0,
        available: 92,
        ratio: 1 - 92 / 95,
      },
    };
    const nobody = { owners: [], timeWaitLeftMs: [] };
    const report = explainReport(explained({ destination: unused, holders: nobody, sourceAddresses: 0 }));
    expect(lines(report).slice(0, 4)).toEqual([
      '203.0.113.9:443: nobody is connected',
      '92 of 95 ports left (3.2 % used): 92 more connect() calls succeed.',
      '',
      expect.stringMatching(/^BLOCKED/),
    ]);
    expect(json(report)['destination']).not.toHaveProperty('localAddress');
    const any = { ...unused, remoteAddress: undefined, remotePort: undefined };
    expect(lines(explainReport(explained({ destination: any, holders: nobody })))[0]).toBe(
      'Any destination: nobody is connected',
    );
  });

  it('does not say 0 of what the kernel does not show', () => {
    const { tcp } = explained();
    const blind = { ...tcp, blocked: { ...tcp.blocked, bound: undefined } };
    const report = explainReport(explained({ tcp: blind }));
    expect(lines(report).some((line) => /^sockets that did only bind\(\) +unknown$/.test(line))).toBe(true);
    expect(json(report)['blocked']).toEqual({ listener: 1, inferred: 1 });
  });

  it('is JSON with stable names', () => {
    const data = json(explainReport(explained()));
    expect(Object.keys(data)).toEqual([
      ...['netns', 'destination', 'sourceAddresses', 'owners', 'timeWaitRelease', 'blocked', 'capacity'],
      ...['range', 'otherCalls', 'remedies'],
    ]);
    expect(data).toMatchObject({
      timeWaitRelease: [
        { withinSeconds: 5, ports: 2 },
        { withinSeconds: 15, ports: 3 },
        { withinSeconds: 30, ports: 4 },
        { withinSeconds: 60, ports: 5 },
      ],
      otherCalls: { tcpBind: { available: 89 }, udpConnect: { available: 91 }, udpBind: { available: 93 } },
    });
    expect(data['remedies']).toContainEqual({
      ...{ remedy: 'closeConnections', freesPorts: 5 },
      action: expect.stringContaining('CLOSE_WAIT'),
    });
  });
});

describe('every report', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '\u001b]0;title\u0007',
      '\u009b31m',
      'a\nb',
      '\u202egnp',
      '日本語日本語日本語',
      '👩‍👩‍👧‍👦',
    ),
  );

  it('fits its terminal and is harmless, whatever strangers are called', () => {
    fc.assert(
      fc.property(anyName, fc.integer({ min: 60, max: 140 }), fc.boolean(), (name, columns, hasColor) => {
        const on = { columns, hasColor };
        const owners = OWNERS.map((owner) => ({ ...owner, owner: name }));
        const holders = { ...HOLDERS, owners };
        const hostile = { ...UNKNOWN, ...{ service: name, process: name, pid: 1, user: name, unit: name } };
        const all = [
          listeners([WEB, hostile]),
          destinations([{ destination: DESTINATION, holders }], 9),
          explainReport(explained({ holders })),
        ];
        for (const report of all) {
          lines(report, on);
          const text = printReport(report, true, on);
          expectHarmless(text, PIPE);
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(report.data)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([60, 80, 120])('of a usual kind fits %i columns without cutting a number', (columns) => {
    const rows = [{ destination: DESTINATION, holders: HOLDERS }];
    for (const report of [listeners([WEB, UNKNOWN]), destinations(rows, 1), explainReport(explained())]) {
      const text = lines(report, terminal(columns)).join('\n');
      for (const whole of ['ESTAB', 'TIME-WAIT', '3/511', 'PORTS', '40010!', 'DROPS']) {
        if (report.text(PIPE).includes(whole)) expect(text).toContain(whole);
      }
    }
  });
});
