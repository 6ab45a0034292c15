import { describe, expect, it } from 'vitest';
import type { KnownSnat } from '../../src/reports/explained.ts';
import { explainReport } from '../../src/reports/explainReport.ts';
import { RefusalTally } from '../../src/status/refusalTally.ts';
import type { WorstRegime } from '../../src/status/worst.ts';
import { ALL_CALLS, refusedConnects, report } from '../status/refusals.ts';
import { lines, terminal } from './reports.ts';
import { certain, DESTINATION, explained, json, NOBODY_CONNECTED, PROCESSES } from './samples.ts';

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

  it('says whether calls are refused now, where that was counted, and whose', () => {
    const tally = new RefusalTally();
    const refused = { durationMs: 1003, counted: ALL_CALLS, tally };
    const { netns, ...whole } = { ...certain(), refused };
    const told = (isNetnsNamed = false) =>
      lines(explainReport({ ...whole, netns, isNetnsNamed })).slice(2, 7);
    expect(told()[0]).toBe('No calls were refused in 1s; to watch: port-exporter refusals --follow');
    tally.take(refusedConnects(3), 0);
    const { remoteAddress = '', remotePort = 0 } = whole.destination;
    const to = { localAddress: '192.0.2.10', remoteAddress, remotePort };
    tally.take(
      report({ refused: [{ ...ALL_CALLS[0], netns, count: 9 }], destinations: [{ netns, count: 9, ...to }] }),
      0,
    );
    expect(told(true)).toEqual([
      `12 calls were refused in 1s, 9 of them to this destination; to watch: port-exporter refusals --follow --netns=${netns}`,
      '',
      'REFUSED  CALL         FROM        TO               LAST PROCESS  OWNER',
      '      9  tcp_connect  192.0.2.10  203.0.113.7:443  -             -',
      '      3  tcp_connect  10.0.0.5    10.0.0.9:443     curl/4711     web.service',
    ]);
    expect(json(explainReport({ ...whole, netns }))['refusals']).toMatchObject({
      ...{ refused: 12, toThisDestination: 9 },
      most: [{ count: 9 }, { count: 3, last: { process: 'curl', pid: 4711, owner: 'web.service' } }],
    });
    expect(json(explainReport(certain()))).not.toHaveProperty('refusals');
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
      ...['timeWaitRelease', 'blocked', 'capacity', 'range', 'otherCalls', 'elsewhere', 'snat', 'remedies'],
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

  const LAYER: KnownSnat = {
    ...{ netns: 'host', natAddress: '198.51.100.1', remoteAddress: '203.0.113.7', remotePort: 443 },
    ...{ first: 2000, last: 2999, available: 100, ratio: 0.9, refusalRatio: 0.448, isPassed: true },
    command: ['port-exporter', 'snat', '203.0.113.7:443', '--netns=host'],
  };
  const behind = (...layers: readonly KnownSnat[]) =>
    explainReport({ ...certain(), netns: 'pod', snat: { layers, refusal: undefined } });

  it('names the layer that refuses, where it is a NAT on the way', () => {
    const shown = lines(behind(LAYER));
    expect(shown.slice(1, 11)).toEqual([
      '5 of 95 ports left (94.7 % used): 5 more connect() calls succeed.',
      'The SNAT of host (NAT address 198.51.100.1) refuses, and not connect(): 100 of 1000 ports left, 44.8 % of new packets dropped in silence.',
      '',
      'ON THE WAY                          LEFT    USED  DROPPED',
      'connect(): ports of this namespace     5  94.7 %        -',
      'SNAT of host, from 198.51.100.1      100  90.0 %   44.8 %',
      '',
      'TO EXPLAIN THE SNAT',
      'port-exporter snat 203.0.113.7:443 --netns=host',
      '',
    ]);
    expect(json(behind(LAYER))).toMatchObject({
      snat: { layers: [{ netns: 'host', refusalRatio: 0.448, command: shown[9] }] },
    });
  });

  it('says that both refuse, that only others are known to pass it, and nothing of a NAT that has ports', () => {
    const used = { ...certain().destination, available: 0, ratio: 1 };
    const both = explainReport({
      ...certain(),
      destination: used,
      snat: { layers: [{ ...LAYER, isPassed: false }], refusal: undefined },
    });
    expect(lines(both)[2]).toMatch(/refuses, as far as the connections of others tell too: 100 of/);
    const fine = { ...LAYER, refusalRatio: 0 };
    expect(lines(behind(fine))[2]).toBe('');
    expect(lines(behind(fine)).join('\n')).toContain(
      '\nSNAT of host, from 198.51.100.1      100  90.0 %    0.0 %',
    );
    expect(lines(behind({ ...LAYER, netns: 'pod' }))[2]).toMatch(/^The SNAT of this namespace /);
  });

  it('says that SNAT was not looked at, and why', () => {
    const refused = explainReport({ ...certain(), snat: { layers: [], refusal: 'needs CAP_NET_ADMIN' } });
    expect(lines(refused)[2]).toBe('SNAT was not looked at: needs CAP_NET_ADMIN.');
  });

  it.each([80, 50])('fits a terminal of %i columns with a NAT on the way', (columns) => {
    lines(behind(LAYER, { ...LAYER, natAddress: '2001:db8::1', isPassed: false }), terminal(columns));
  });
});
