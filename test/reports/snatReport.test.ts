import { describe, expect, it } from 'vitest';
import type { SnatExplained } from '../../src/aggregate/snatHolders.ts';
import type { OtherSnat } from '../../src/reports/snatAnswered.ts';
import { snatReport } from '../../src/reports/snatReport.ts';
import { lines, PIPE, terminal } from './reports.ts';
import { EXPLAINED, snatAnswered, TRACKED } from './snatSamples.ts';

const OTHER: OtherSnat = {
  ...{ netns: 'host', protocol: 'udp', natAddress: '198.51.100.1', remoteAddress: '2001:db8::53' },
  ...{ remotePort: 53, zone: 0, available: 990, ratio: 0.01, refusalRatio: 1e-9 },
};

const head = (more: Partial<SnatExplained>) =>
  lines(snatReport(snatAnswered({ explained: { ...EXPLAINED, ...more } })));

describe('an answer about ports behind a NAT', () => {
  it('says how many are left, who holds the others, when they come back and what would help', () => {
    expect(lines(snatReport(snatAnswered({ others: [OTHER], otherCount: 3 })))).toEqual([
      '198.51.100.1 → 203.0.113.7:443, TCP',
      '100 of 1000 ports left (90.0 % used): 44.8 % of new packets find none and are dropped.',
      'Nobody is told: connect() takes 1 s or 3 s, since each retransmission searches again, or times out.',
      'The rule keeps the port of a client where it is free (600 of 790 kept theirs), so the share is an upper limit.',
      'Tracked connections: 5000 of 262144 (1.9 %); dropped for want of a port, or in a race: 1234.',
      '',
      'HOW MANY ARE LEFT             PORTS',
      'range, as assumed: 2000-2999   1000',
      'established                    -200',
      'TIME_WAIT                      -650',
      'other states                    -50',
      'left                            100',
      '',
      'HELD BY                   ESTAB  TIME-WAIT  OTHER  PORTS',
      '10.0.0.5                    150        600     40    790',
      '198.51.100.1 (this host)     49         50     10    109',
      '10.0.0.9 (inbound)            1          0      0      1',
      '',
      'EXPIRES       PORTS',
      'within 10 s     100',
      'within 30 s     100',
      'within 60 s     700',
      'within 120 s    700',
      'later           200',
      'The first in 7 s. Each packet of a connection starts its time anew.',
      '',
      'FREES  REMEDY FOR THIS DESTINATION, EACH ALONE',
      '    -  scatter the ports (fully-random in the SNAT rule; iptables: --random-fully): as many used ports would drop less than 0.1 % of new packets at best, instead of 44.8 %',
      '63512  let the rule choose from more ports, up to 1024-65535',
      ' 1000  add NAT addresses: this many ports for each, for the clients that get it',
      ' 1000  add addresses or ports of the destination: this many ports for each',
      '  690  reuse connections (keep-alive, pooling), so that none are closing or in TIME_WAIT',
      '  650  forget TIME_WAIT after 30 s instead of 120 s: of connections that close from then on; sockets themselves remember 60 s',
      '  150  close or pool the connections of 10.0.0.5',
      '  100  forget TIME_WAIT after 60 s instead of 120 s: of connections that close from then on',
      '   49  close or pool the connections of 198.51.100.1',
      '',
      'COMMANDS FOR THESE',
      'sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=30',
      'sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=60',
      '',
      'NAT ADDRESS   OTHERS TO              LEFT   USED  DROPPED',
      '198.51.100.1  [2001:db8::53]:53/udp   990  1.0 %   <0.1 %',
      '2 more.',
    ]);
  });

  it.each([80, 40, 20])('fits a terminal of %i columns', (columns) => {
    const report = snatReport(
      snatAnswered({
        ...{ others: [OTHER], otherCount: 3, isAll: true, notRead: ['tracked connections of pod'] },
        // No commands, whose words stay whole.
        tracked: { ...TRACKED, timeWaitSeconds: undefined },
      }),
    );
    expect(lines(report, terminal(columns, true)).join(' ')).toMatch(/\bscatter\b/);
  });

  it('says what becomes of new packets', () => {
    const verdict = (more: Partial<SnatExplained>) => head(more)[1]?.replace(/^.*: /, '');
    expect(verdict({ refusalRatio: 0 })).toBe('every new packet finds one.');
    expect(verdict({ refusalRatio: 1e-7 })).toBe('less than 0.1 % of new packets find none and are dropped.');
    expect(verdict({ refusalRatio: 1 })).toBe('no new packet finds a port, and all are dropped.');
    expect(verdict({ refusalRatio: 1e-9, available: 0, ratio: 1 })).toMatch(
      /TIME_WAIT, which the kernel ends/,
    );
    expect(head({ refusalRatio: 0, kept: 0 })[2]).toMatch(/^Tracked connections/);
    expect(head({ protocol: 'udp' })[2]).toBe('Nobody is told: what is sent is lost.');
  });

  it('names the namespace, the service before DNAT and a zone', () => {
    const answered = snatAnswered({ ...{ netns: 'web', isNetnsNamed: true, wanted: '10.96.0.10:443' } });
    const explained = { ...EXPLAINED, zone: 7 };
    const [title] = lines(snatReport({ ...answered, explained }));
    expect(title).toBe('198.51.100.1 → 203.0.113.7:443 (10.96.0.10:443 before DNAT), TCP, zone 7, in web');
    expect(lines(snatReport({ ...answered, wanted: '203.0.113.7:443' }))[0]).not.toContain('DNAT');
  });

  it('enters the namespace in the commands, where the shell is in another', () => {
    const report = snatReport(snatAnswered({ netnsPath: '/run/netns/web' }));
    expect(report.text(PIPE)).toContain('nsenter --net=/run/netns/web sysctl -w net.netfilter');
  });

  it('shows ten holders, and all to programs', () => {
    const holders = Array.from({ length: 14 }, (_, index) => ({
      ...{ address: `10.0.0.${index}`, isInbound: false, established: 1, timeWait: 0, other: 0, ports: 1 },
    }));
    const report = snatReport(snatAnswered({ explained: { ...EXPLAINED, holders } }));
    expect(report.text(PIPE)).toContain(
      '\n10.0.0.9      1          0      0      1\n4 more with 4 ports; --json shows all.',
    );
    expect((report.data as { holders: unknown[] }).holders).toHaveLength(14);
  });

  it('says that the table is nearly full, and from when on there is a metric', () => {
    const full = snatReport(snatAnswered({ tracked: { ...TRACKED, entries: 262_144 } }));
    expect(full.text(PIPE)).toContain('262144 of 262144 (100.0 %)');
    expect(full.text(PIPE)).toMatch(/raise net\.netfilter\.nf_conntrack_max on the host: 262144 of 262144/);
    const few = snatReport(snatAnswered({ tracked: { ...TRACKED, entries: 249 } }));
    expect(few.text(PIPE)).toContain('The exporter has metrics of it from 250 tracked connections on.');
  });

  it('is one line where there is no NAT, or nothing of the destination', () => {
    const nothing = { explained: undefined, hasNat: false };
    expect(lines(snatReport(snatAnswered(nothing)))).toEqual([
      'No connection has its source translated in host: there is no SNAT (5000 connections are tracked). --netns=all looks into the others.',
    ]);
    expect(lines(snatReport(snatAnswered({ ...nothing, isAll: true })))).toEqual([
      'No connection has its source translated in any network namespace: there is no SNAT (5000 connections are tracked).',
    ]);
    const named = snatReport(snatAnswered({ ...nothing, hasNat: true, wanted: '192.0.2.1:80' }));
    expect(lines(named)).toEqual([
      'No port behind a NAT is held towards 192.0.2.1:80 in host: all 1000 are left. --netns=all looks into the others.',
    ]);
    expect([named.exitCode, (named.data as { holders: unknown }).holders]).toEqual([0, []]);
  });
});
