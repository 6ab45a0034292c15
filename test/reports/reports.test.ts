import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../src/aggregate/destinations.ts';
import type { Listener } from '../../src/aggregate/listeners.ts';
import type { SocketProcesses } from '../../src/owners/socketProcesses.ts';
import { destinationsReport, type OwnedDestination } from '../../src/reports/destinationsReport.ts';
import type { Explained } from '../../src/reports/explained.ts';
import { explainReport } from '../../src/reports/explainReport.ts';
import { listenersReport } from '../../src/reports/listenersReport.ts';
import { printReport } from '../../src/reports/report.ts';
import type { DescribedListener } from '../../src/snapshot/describedListener.ts';
import type { DestinationOwner, NamedHolders } from '../../src/snapshot/owners.ts';
import type { WorstRegime } from '../../src/status/worst.ts';
import { EMPTY_NAMESPACE, RICH_NAMESPACE } from '../metrics/snapshots.ts';
import { expectHarmless, lines, PIPE, terminal } from './reports.ts';

const WEB: DescribedListener = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, family: 4, ipv6Only: false, inEphemeralRange: false },
  ...{ acceptQueue: 3, acceptQueueLimit: 511, dropped: 4, connections: 12 },
  ...{ service: 'http', process: 'nginx', pid: 812, user: 'www-data', owner: 'nginx.service' },
};
const UNKNOWN: DescribedListener = {
  ...{ protocol: 'udp', address: '::', port: 40_010, family: 6, ipv6Only: false, inEphemeralRange: true },
  ...{ acceptQueue: undefined, acceptQueueLimit: undefined, dropped: undefined, connections: undefined },
  ...{ service: '', process: '', pid: undefined, user: '', owner: '' },
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

  it('names their namespaces where several were asked', () => {
    const all = [
      { ...WEB, netns: 'web' },
      { ...WEB, port: 53, netns: 'host' },
    ];
    const report = listenersReport({ netns: 'all', listeners: all }, undefined);
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

const OWNERS: DestinationOwner[] = [
  { owner: 'unattributed', established: 0, timeWait: 60, closeWait: 0, other: 0, ports: 60 },
  { owner: 'app.service', established: 22, timeWait: 0, closeWait: 5, other: 0, ports: 27 },
];
const HOLDERS: NamedHolders = {
  owners: OWNERS,
  timeWaitLeftMs: [4000, 5000, 5001, 29_000, 60_000],
  inodes: new Map(),
};
const DESTINATION: Destination = {
  ...{ localAddress: '192.0.2.10', remoteAddress: '203.0.113.7', remotePort: 443 },
  ...{ deviceIndex: 0, device: '' },
  ...{ used: { established: 22, timeWait: 60, other: 5 }, reclaimable: 0, available: 5, ratio: 90 / 95 },
};

function destinations(rows: readonly OwnedDestination[], total: number, netns = 'host') {
  return destinationsReport(netns, total, rows);
}

function row(more: Partial<OwnedDestination> = {}): OwnedDestination {
  return { destination: DESTINATION, availableAtMost: DESTINATION.available, owners: OWNERS, ...more };
}

describe('the fullest destinations', () => {
  it('are a table with who holds what', () => {
    const ipv6 = { ...DESTINATION, localAddress: '2001:db8::1', remoteAddress: '2001:db8::2' };
    const rows = [DESTINATION, ipv6].map((destination) => row({ destination }));
    expect(lines(destinations(rows, 3))).toEqual([
      'FROM         TO                 ESTAB  TIME-WAIT  OTHER  REUSABLE  LEFT    USED  OWNERS',
      '192.0.2.10   203.0.113.7:443       22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '2001:db8::1  [2001:db8::2]:443     22         60      5         0     5  94.7 %  unattributed 60, app.service 27',
      '1 more destination; --limit shows more.',
    ]);
  });

  it('name their namespaces where several were asked', () => {
    const report = destinations([row({ netns: 'web' })], 1, 'all');
    expect(lines(report)[0]).toMatch(/^NETNS {2}FROM /);
    expect(lines(report)[1]).toMatch(/^web {4}192\.0\.2\.10 /);
    expect(json(report)).toMatchObject({ netns: 'all', destinations: [{ netns: 'web', available: 5 }] });
  });

  it('say at least where one reading cannot tell what is blocked', () => {
    const report = destinations([row({ availableAtMost: 9 })], 1);
    expect(lines(report)[1]).toContain(' 5+ ');
    expect(lines(report)[2]).toMatch(/^\+ minimum: /);
    expect(json(report)).toMatchObject({ destinations: [{ available: 5, availableAtMost: 9 }] });
  });

  it('name no more owners than a cell can hold', () => {
    const owners = [1, 2, 3, 4, 5].map((ports) => ({
      ...(OWNERS[0] as DestinationOwner),
      owner: `o${ports}`,
      ports,
    }));
    const [, line] = lines(destinations([row({ owners })], 1));
    expect(line).toMatch(/ o1 1, o2 2, o3 3, 2 more$/);
  });

  it('have no owners where the source does not tell', () => {
    const owners = OWNERS.map((owner) => ({ ...owner, owner: undefined }));
    const report = destinations([row({ owners })], 1);
    expect(lines(report)[1]).toMatch(/ 94\.7 % {2}-$/);
    expect(JSON.stringify(json(report))).not.toContain('"owner"');
  });

  it('are none, or none shown', () => {
    expect(lines(destinations([], 0))).toEqual(['No destination holds an ephemeral port.']);
    expect(lines(destinations([], 7))).toEqual(['7 more destinations; --limit shows more.']);
  });

  it('are JSON', () => {
    expect(json(destinations([row()], 4))).toEqual({
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
    const report = destinations([row({ destination: { ...DESTINATION, ratio } })], 1);
    expect(lines(report)[1]).toContain(` ${text} `);
  });
});

const PROCESSES: SocketProcesses = {
  processes: [
    {
      ...{ pid: 30_656, process: 'checkout', user: 'app', sockets: 25 },
      commandLine: '/usr/bin/node /srv/checkout/server.js',
    },
  ],
  unknown: 2,
  refusal: 'needs CAP_SYS_PTRACE',
};

function explained(more: Partial<Explained> = {}): Explained {
  const { netns } = RICH_NAMESPACE;
  const { tcp, udp, range } = RICH_NAMESPACE.results;
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
    isNetnsNamed: false,
    netnsPath: undefined,
    destination: DESTINATION,
    sourceAddresses: 1,
    holders: HOLDERS,
    processes: PROCESSES,
    worst: undefined,
    elsewhere: [],
    tcp: whole,
    udp,
    range,
    ...more,
  };
}

/** With nothing that is only inferred. */
function certain(): Explained {
  const whole = explained();
  return { ...whole, tcp: { ...whole.tcp, blocked: { listener: 2, bound: 1, explicit: 0, inferred: 0 } } };
}

const NOBODY_CONNECTED = {
  destination: {
    ...{ localAddress: undefined, deviceIndex: 0, device: '', remoteAddress: '203.0.113.9', remotePort: 443 },
    ...{ used: { established: 0, timeWait: 0, other: 0 }, reclaimable: 0, available: 92, ratio: 1 - 92 / 95 },
  },
  holders: { owners: [], timeWaitLeftMs: [], inodes: new Map() },
  processes: { processes: [], unknown: 0, refusal: undefined },
  sourceAddresses: 0,
} as const;

describe('an explanation', () => {
  it('says what holds the ports, when they come back, what is in force and what would help', () => {
    expect(lines(explainReport(certain()))).toEqual([
      '192.0.2.10 → 203.0.113.7:443',
      '5 of 95 ports left (94.7 % used): 5 more connect() calls succeed.',
      '',
      'HOW MANY ARE LEFT                         PORTS',
      'usable: the range without reserved ports     95',
      'blocked for every destination                -3',
      'held towards this destination               -87',
      'left                                          5',
      '',
      'HELD BY       ESTAB  TIME-WAIT  CLOSE-WAIT  OTHER  PORTS',
      'unattributed      0         60           0      0     60',
      'app.service      22          0           5      0     27',
      expect.stringMatching(/^unattributed: the kernel keeps no owner for sockets in TIME_WAIT /),
      '',
      'PROCESS         USER  SOCKETS  COMMAND',
      'checkout/30656  app        25  /usr/bin/node /srv/checkout/server.js',
      expect.stringMatching(/^No process found for 2 sockets: .* processes: needs CAP_SYS_PTRACE\.$/),
      '',
      'TIME_WAIT EXPIRES  PORTS',
      'within 5 s             2',
      'within 15 s            3',
      'within 30 s            4',
      'within 60 s            5',
      '',
      'BLOCKED FOR EVERY DESTINATION BY                           PORTS',
      'listeners                                                      2',
      'sockets that only called bind()                                1',
      'connections whose port was chosen by number                    0',
      'connections that called bind(address, 0) first (inferred)      0',
      '',
      'SETTING                              VALUE',
      'net.ipv4.ip_local_port_range         40000 40099',
      'net.ipv4.ip_local_reserved_ports     5 of these',
      'net.ipv4.tcp_tw_reuse                1 (always)',
      'net.ipv4.tcp_timestamps              on',
      'minimum age of a reusable TIME_WAIT  1000 ms',
      '',
      'OTHER CALLS                          LEFT   USED',
      'TCP bind(address, 0), worst address    89  6.3 %',
      'UDP connect() or sendto(), unbound     91  4.2 %',
      'UDP bind(address, 0), worst address    93  2.1 %',
      '',
      'FREES  REMEDY FOR THIS DESTINATION, EACH ALONE',
      expect.stringContaining('64412  widen the range, up to 1024 65535'),
      expect.stringContaining('add addresses or ports of the destination'),
      expect.stringContaining('add source addresses'),
      expect.stringContaining('reuse connections'),
      '   22  close or pool the connections of app.service',
      expect.stringContaining('CLOSE_WAIT'),
      expect.stringContaining('reserve only ports with listeners in net.ipv4.ip_local_reserved_ports'),
      expect.stringContaining('move listeners out of the ephemeral range: 40010'),
      expect.stringContaining('close() sockets that called bind()'),
      '',
      'COMMANDS FOR THESE',
      "sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
      'sysctl -w net.ipv4.ip_local_reserved_ports=',
      'They last until the next boot; a file in /etc/sysctl.d makes them permanent.',
    ]);
  });

  it('gives a range where one reading cannot tell what is blocked', () => {
    const [, verdict, why] = lines(explainReport(explained()));
    expect(verdict).toBe(
      'between 5 and 6 of 95 ports left (93.7 to 94.7 % used): at least 5 more connect() calls succeed.',
    );
    expect(why).toMatch(/^A single sample cannot tell whether 1 port of other connections is blocked /);
    expect(json(explainReport(explained()))['destination']).toMatchObject({
      available: 5,
      availableAtMost: 6,
    });
    const none = { ...DESTINATION, used: { ...DESTINATION.used, other: 10 }, available: 0, ratio: 1 };
    expect(lines(explainReport(explained({ destination: none })))[1]).toBe(
      'between 0 and 1 of 95 ports left (98.9 to 100.0 % used): the next connect() may fail with EADDRNOTAVAIL.',
    );
  });

  it('says so where another call is worse', () => {
    const worse = (protocol: 'tcp' | 'udp', scope: 'connect' | 'bind', available: number, error: string) => {
      const numbers = {
        ratio: 1 - available / 950,
        available,
        usable: 95,
        isEstimated: false,
        peak: undefined,
      };
      const called = { protocol, scope, error, isCalled: true } as const;
      const worst: WorstRegime = { ...called, numbers: { ...numbers, worst: { kind: 'any' } } };
      return lines(explainReport({ ...certain(), worst }))[2];
    };
    expect(worse('udp', 'connect', 0, 'EAGAIN')).toBe('UDP connect() is worse: it fails with EAGAIN.');
    expect(worse('tcp', 'bind', 1, 'EADDRINUSE')).toBe('TCP bind(address, 0) is worse: it has 1 port left.');
    expect(worse('tcp', 'connect', 0, 'EADDRNOTAVAIL')).toBe('');
    expect(worse('udp', 'bind', 940, 'EADDRINUSE')).toBe('');
  });

  it('counts what is on blocked ports, and what connect() takes over, once', () => {
    const destination = { ...DESTINATION, reclaimable: 7, available: 15, ratio: 80 / 95 };
    const rows = lines(explainReport(explained({ destination }))).slice(3, 10);
    expect(rows.map((line) => line.split(/ {2,}/))).toEqual([
      ['HOW MANY ARE LEFT', 'PORTS'],
      ['usable: the range without reserved ports', '95'],
      ['blocked for every destination', '-3'],
      ['held towards this destination', '-87'],
      ['held on a blocked port, and counted there', '+3'],
      ['held in TIME_WAIT that connect() can reuse', '+7'],
      ['left', '15'],
    ]);
    expect(95 - 3 - 87 + 3 + 7).toBe(destination.available);
  });

  it('says where a destination is known that no connections to here', () => {
    const elsewhere = [
      {
        ...{ netns: 'web', localAddress: '10.0.0.5', available: 0, ratio: 1 },
        command: ['port-exporter', 'explain', '203.0.113.9:443', '--netns=web'],
      },
      {
        ...{ netns: 'net:[4026532]', localAddress: '10.0.0.6', available: 9, ratio: 86 / 95 },
        command: ['port-exporter', 'explain', '203.0.113.9:443', '--netns=net:[4026532]'],
      },
    ];
    const report = explainReport({ ...certain(), ...NOBODY_CONNECTED, elsewhere });
    expect(lines(report).slice(0, 10)).toEqual([
      '203.0.113.9:443: no connections in host, but in 2 other network namespaces',
      '92 of 95 ports left (3.2 % used): 92 more connect() calls succeed.',
      '',
      'KNOWN IN       FROM      LEFT     USED',
      'web            10.0.0.5     0  100.0 %',
      'net:[4026532]  10.0.0.6     9   90.5 %',
      '',
      'TO EXPLAIN IT THERE',
      'port-exporter explain 203.0.113.9:443 --netns=web',
      "port-exporter explain 203.0.113.9:443 --netns='net:[4026532]'",
    ]);
    expect(json(report)['elsewhere']).toEqual([
      { ...elsewhere[0], command: 'port-exporter explain 203.0.113.9:443 --netns=web' },
      { ...elsewhere[1], command: "port-exporter explain 203.0.113.9:443 --netns='net:[4026532]'" },
    ]);
    const once = explainReport({ ...certain(), ...NOBODY_CONNECTED, elsewhere: elsewhere.slice(0, 1) });
    expect(lines(once)[0]).toBe('203.0.113.9:443: no connections in host, but in web');
    const refused = explainReport({ ...certain(), ...NOBODY_CONNECTED, elsewhere: 'it needs CAP_SYS_ADMIN' });
    expect(lines(refused).slice(0, 3)).toEqual([
      '203.0.113.9:443: no connections',
      expect.any(String),
      'It may have connections in another network namespace: it needs CAP_SYS_ADMIN.',
    ]);
  });

  it('says why processes could not be looked into, asking for nothing that is there', () => {
    const refusal = 'denied although CAP_SYS_PTRACE is held (a security module, or another user namespace)';
    const report = explainReport({ ...certain(), processes: { ...PROCESSES, refusal } });
    expect(lines(report)).toContain(
      `No process found for 2 sockets: reading the descriptors of other users' processes: ${refusal}.`,
    );
    const gone = explainReport({ ...certain(), processes: { ...PROCESSES, refusal: undefined } });
    expect(lines(gone)).toContain('No process found for 2 sockets.');
  });

  it('of a namespace that was asked for by name names it, and has commands that enter it', () => {
    const there = { ...certain(), netns: 'web', isNetnsNamed: true, netnsPath: '/run/netns/web' };
    const report = explainReport(there);
    expect(lines(report)[0]).toBe('192.0.2.10 → 203.0.113.7:443, in web');
    expect(lines(report)).toContain(
      "nsenter --net=/run/netns/web sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
    );
    // What goes on in the next line is one command to a shell, too.
    const narrow = lines(report, terminal(60));
    const at = narrow.indexOf('nsenter --net=/run/netns/web sysctl -w \\');
    expect(narrow[at + 1]).toBe("  net.ipv4.ip_local_port_range='1024 65535'");
    expect(json(report)['remedies']).toContainEqual(
      expect.objectContaining({
        remedy: 'widerRange',
        command: "nsenter --net=/run/netns/web sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
      }),
    );
  });

  it.each([
    [0, 'the next connect() fails with EADDRNOTAVAIL.'],
    [1, '1 more connect() call succeeds.'],
    [2, '2 more connect() calls succeed.'],
  ])('begins with what happens next: %i left', (available, verdict) => {
    const ratio = 1 - available / 95;
    const destination = { ...DESTINATION, available, ratio };
    const [, told] = lines(explainReport({ ...certain(), destination }));
    expect(told).toContain(verdict);
  });

  it('tells of other source addresses', () => {
    expect(lines(explainReport(explained({ sourceAddresses: 2 })))[2]).toBe(
      'From 1 other source address or device it is less full.',
    );
    expect(lines(explainReport(explained({ sourceAddresses: 3 })))[2]).toBe(
      'From 2 other source addresses or devices it is less full.',
    );
  });

  it('of a destination that no connections to leaves out what there is not', () => {
    const report = explainReport({ ...certain(), ...NOBODY_CONNECTED });
    expect(lines(report).slice(0, 9)).toEqual([
      '203.0.113.9:443: no connections',
      '92 of 95 ports left (3.2 % used): 92 more connect() calls succeed.',
      '',
      expect.stringMatching(/^HOW MANY/),
      ...[
        expect.any(String),
        expect.any(String),
        expect.stringMatching(/ 0$/),
        expect.stringMatching(/ 92$/),
      ],
      '',
    ]);
    expect(lines(report)[9]).toMatch(/^BLOCKED/);
    expect(json(report)['destination']).not.toHaveProperty('localAddress');
    const destination = { ...NOBODY_CONNECTED.destination, remoteAddress: undefined, remotePort: undefined };
    expect(lines(explainReport({ ...certain(), ...NOBODY_CONNECTED, destination }))[0]).toBe(
      'Any destination: no connections',
    );
  });

  it('does not say 0 of what the kernel does not show', () => {
    const { tcp } = explained();
    const blind = { ...tcp, blocked: { ...tcp.blocked, bound: undefined } };
    const report = explainReport(explained({ tcp: blind }));
    expect(lines(report).some((line) => /^sockets that only called bind\(\) +unknown$/.test(line))).toBe(
      true,
    );
    expect(json(report)['blocked']).toEqual({ listener: 1, inferred: 1 });
  });

  it('is JSON with stable names', () => {
    const data = json(explainReport(explained()));
    expect(Object.keys(data)).toEqual([
      ...['netns', 'destination', 'sourceAddresses', 'ports', 'owners', 'processes', 'socketsWithoutProcess'],
      ...['timeWaitRelease', 'blocked', 'capacity', 'range', 'otherCalls', 'elsewhere', 'remedies'],
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
        const processes = {
          ...PROCESSES,
          processes: PROCESSES.processes.map((one) => ({
            ...one,
            process: name,
            user: name,
            commandLine: name,
          })),
        };
        const hostile = { ...UNKNOWN, ...{ service: name, process: name, pid: 1, user: name, owner: name } };
        const all = [
          listeners([WEB, hostile]),
          destinations([row({ owners })], 9),
          explainReport(explained({ holders, processes })),
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
    const rows = [row()];
    for (const report of [listeners([WEB, UNKNOWN]), destinations(rows, 1), explainReport(explained())]) {
      const text = lines(report, terminal(columns)).join('\n');
      for (const whole of ['ESTAB', 'TIME-WAIT', '3/511', 'PORTS', '40010!', 'DROPS']) {
        if (report.text(PIPE).includes(whole)) expect(text).toContain(whole);
      }
    }
  });
});
