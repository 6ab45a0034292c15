import { readFileSync } from 'node:fs';
import { parseDuration, parsePeriod } from '../../../src/base/duration.ts';
import { parseCommandLine } from '../../../src/cli/commandLine.ts';
import { DESTINATION_KEYS } from '../../../src/cli/destinationFilter.ts';
import { parseFilter } from '../../../src/cli/filter.ts';
import * as filterValues from '../../../src/cli/filterValues.ts';
import { LISTENER_KEYS } from '../../../src/cli/listenersCommand.ts';
import { parsePortList } from '../../../src/cli/scanPortList.ts';
import * as values from '../../../src/cli/values.ts';
import { dumpConntrack } from '../../../src/conntrack/dump.ts';
import { parseConntrackStat } from '../../../src/kernel/conntrackCounts.ts';
import { Links, parseLink } from '../../../src/kernel/links.ts';
import { parseSockstat } from '../../../src/kernel/sockstat.ts';
import * as sysctl from '../../../src/kernel/sysctl.ts';
import { parseNamespaceLink } from '../../../src/namespaces/discover.ts';
import { parsePids } from '../../../src/owners/candidates.ts';
import { parseCgroupMounts } from '../../../src/owners/cgroupMount.ts';
import { parseDescriptorInfo } from '../../../src/owners/descriptorViews.ts';
import { parseProcessCgroup } from '../../../src/owners/processCgroup.ts';
import { parseCpuUse, parseProcessStat } from '../../../src/owners/processStat.ts';
import { parseServices } from '../../../src/owners/services.ts';
import { parsePasswd } from '../../../src/owners/users.ts';
import { parseProbeFile } from '../../../src/probes/probeFile.ts';
import { parseEndpoint, parseProbe, parseSource } from '../../../src/probes/target.ts';
import { NetlinkSource } from '../../../src/sockets/netlink/source.ts';
import { TableParser } from '../../../src/sockets/procfs/table.ts';
import { SocketRecord } from '../../../src/sockets/record.ts';
import { takeListenFds } from '../../../src/systemd/listenFds.ts';
import { watchdogPeriodMs } from '../../../src/systemd/watchdog.ts';
import { parseAllowedHost } from '../../../src/web/allowedHosts.ts';
import { subjectAltNames } from '../../../src/web/clientCertificate.ts';
import { parseGoDuration } from '../../../src/web/config/goDuration.ts';
import { parseWebConfig } from '../../../src/web/config/parseWebConfig.ts';
import { parseListenAddress } from '../../../src/web/listenAddress.ts';
import { acceptsGzip, chooseFormat } from '../../../src/web/negotiate.ts';
import { encodeEntry } from '../../conntrack/encode.ts';
import { datagram, done, FakeNetlink } from '../../kernel/fakeNetlink.ts';
import { encodeSocket, skmeminfo } from '../../sockets/netlink/encode.ts';

/** What reads something that others wrote. */
export interface Target {
  readonly name: string;
  /** The exported parsers of src that it runs, `owners/users.ts parsePasswd`. */
  readonly parses: readonly string[];
  /** Whole ones, in Latin-1. */
  readonly seeds: readonly string[];
  /** Takes milliseconds, or answers with a promise. */
  readonly isSlow?: true;
  run(input: Buffer): unknown;
}

/** All of them. A test compares the list with the exported parsers of src. */
export const TARGETS: readonly Target[] = [
  ...(['tcpListeners', 'tcpConnections', 'tcpBoundOnly', 'udp'] as const).map((walk) => ({
    name: `netlink-${walk}`,
    parses: [],
    seeds: [latin1(datagram({ type: 20, sequence: 1, flags: 2, payload: SOCKET() }, done(1)))],
    run(input: Buffer) {
      const open = () => new FakeNetlink(() => [input, datagram(done(1))]);
      const source = new NetlinkSource(open, new Links(open));
      source[walk](() => {});
    },
  })),
  {
    name: 'netlink-conntrack',
    parses: [],
    seeds: [latin1(datagram({ type: 0x100, sequence: 1, flags: 2, payload: ENTRY() }, done(1)))],
    run(input) {
      dumpConntrack(
        () => new FakeNetlink(() => [input, datagram(done(1))]),
        () => {},
      );
    },
  },
  {
    name: 'link',
    parses: ['kernel/links.ts parseLink'],
    seeds: [`${'\0'.repeat(16)}\x09\0\x03\0eth0\0\0\0\0\x08\0\x0a\0\x07\0\0\0`],
    run: (input) => parseLink(new DataView(input.buffer, input.byteOffset, input.length), 0, input.length),
  },
  ...(['tcp', 'udp'] as const).flatMap((protocol) =>
    ([4, 6] as const).map((family) => ({
      name: `table-${protocol}${family}`,
      parses: [],
      seeds: [fixture(`proc/net/${protocol}${family === 4 ? '' : '6'}`).slice(0, 900)],
      run(input: Buffer) {
        const parser = new TableParser('/proc/net/x', { protocol, family }, new SocketRecord(), () => true);
        const half = input.length >> 1;
        if (parser.push(input.subarray(0, half)) && parser.push(input.subarray(half))) parser.end();
      },
    })),
  ),
  text('port-range', 'kernel/sysctl.ts', { parsePortRange: sysctl.parsePortRange }, ['32768\t60999\n']),
  text('reserved-ports', 'kernel/sysctl.ts', { parseReservedPorts: sysctl.parseReservedPorts }, [
    '80,443,8000-8100\n',
    '\n',
  ]),
  text(
    'sysctl',
    'kernel/sysctl.ts',
    {
      parseTwReuse: sysctl.parseTwReuse,
      parseSwitch: sysctl.parseSwitch,
      parseTwReuseDelay: sysctl.parseTwReuseDelay,
    },
    ['2\n', '1000\n'],
  ),
  text('sockstat', 'kernel/sockstat.ts', { parseSockstat: (input) => parseSockstat(input, input, '/x') }, [
    'sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 4\nUDP: inuse 2 mem 1\nTCP6: inuse 1\nUDP6: inuse 3\n',
  ]),
  text(
    'conntrack-stat',
    'kernel/conntrackCounts.ts',
    { parseConntrackStat: (input) => parseConntrackStat(input, '/x') },
    ['entries found insert_failed drop early_drop\n0000000a 000000ff 00000001 00000002 00000003\n'],
  ),
  text('namespace-link', 'namespaces/discover.ts', { parseNamespaceLink }, ['net:[4026531840]']),
  bytes('pids', 'owners/candidates.ts', { parsePids }, ['1\n22\n4194304\n']),
  bytes('mountinfo', 'owners/cgroupMount.ts', { parseCgroupMounts }, [
    fixture('owners/mountinfo-hybrid').slice(0, 2000),
  ]),
  bytes('fdinfo', 'owners/descriptorViews.ts', { parseDescriptorInfo }, [
    'pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t7\n',
  ]),
  text('process-cgroup', 'owners/processCgroup.ts', { parseProcessCgroup }, [
    '1:name=systemd:/a\n0::/system.slice/a.service\n',
  ]),
  bytes('process-stat', 'owners/processStat.ts', { parseCpuUse, parseProcessStat }, [
    '7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 33 4096 5 18446744073709551615 0 0 0 0\n',
  ]),
  bytes('services', 'owners/services.ts', { parseServices }, [fixture('owners/services').slice(0, 1000)]),
  bytes('passwd', 'owners/users.ts', { parsePasswd }, [fixture('owners/passwd').slice(0, 1000)]),
  {
    ...text(
      'web-config',
      'web/config/parseWebConfig.ts',
      { parseWebConfig: (input) => parseWebConfig(input, 'w') },
      [
        'basic_auth_users:\n  a: $2y$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu\nhttp_server_config:\n  headers: {X-Frame-Options: deny}\n',
        'tls_server_config: {cert_file: a, key_file: b, min_version: TLS12, client_auth_type: NoClientCert}\n',
      ],
    ),
    isSlow: true,
  },
  {
    ...text(
      'probe-file',
      'probes/probeFile.ts',
      { parseProbeFile: (input) => parseProbeFile(input, 'p', []) },
      [
        '- {name: db, target: tcp://db:5432, interval: 5s, timeout: 1s}\n',
        '- name: a\n  target: "tcp://[::1]:1"\n  source: ::1\n',
      ],
    ),
    isSlow: true,
  },
  text('probe', 'probes/target.ts', { parseProbe, parseEndpoint, parseSource }, [
    'tcp://[::1]:80',
    'a.b:1',
    '::1',
  ]),
  text(
    'value',
    'cli/values.ts',
    {
      parsePeriodOrNone: values.parsePeriodOrNone,
      parseShare: values.parseShare,
      parseRatio: values.parseRatio,
      parseNamespaces: values.parseNamespaces,
      parseTelemetryPath: values.parseTelemetryPath,
      parsePort: values.parsePort,
      parseEndpoint: values.parseEndpoint,
      parseSnatPorts: values.parseSnatPorts,
      parseLink: values.parseLink,
    },
    [
      'fd00::1=1024-2047',
      '0.05',
      '/metrics',
      '443',
      '[fe80::1%eth0]:443',
      'self',
      '^pod-[0-9]+$',
      'https://a.example/d?x=1',
    ],
  ),
  text(
    'filter',
    'cli/filter.ts',
    {
      parseFilter: (input) => [
        parseFilter([input], LISTENER_KEYS, 'sport'),
        parseFilter(input.split('\0'), DESTINATION_KEYS),
      ],
    },
    ['sport = :443 and owner nginx.service', 'dst 192.0.2.0/24:https\0state=time-wait', '8080'],
  ),
  text(
    'filter-value',
    'cli/filterValues.ts',
    {
      parsePortOrService: filterValues.parsePortOrService,
      parsePlace: (input) => filterValues.parsePlace(input).matches('192.0.2.1'),
      parseAddresses: (input) => filterValues.parseAddresses(input).matches('2001:db8::1'),
    },
    ['[2001:db8::/32]:443', '192.0.2.0/24:https', '2001:db8::/32', ':8080'],
  ),
  text('port-list', 'cli/scanPortList.ts', { parsePortList }, ['22,80,8000-8100', 'usual', 'all']),
  text('duration', 'base/duration.ts', { parseDuration, parsePeriod: (input) => parsePeriod(input) }, [
    '1h30m',
    '500ms',
    '1.5s',
  ]),
  text('go-duration', 'web/config/goDuration.ts', { parseGoDuration }, ['1h1.5s', '.5µs', '+1h']),
  text('allowed-host', 'web/allowedHosts.ts', { parseAllowedHost }, ['a.example', '.a.example']),
  text('listen-address', 'web/listenAddress.ts', { parseListenAddress }, [':10069', '[::1]:80', 'a:1']),
  {
    name: 'command-line',
    parses: ['cli/commandLine.ts parseCommandLine'],
    seeds: ['--once\0--log.level=debug', 'explain\0[::1]:443\0--json', 'scan\0localhost\0--ports\x0022'],
    isSlow: true,
    run: (input) => parseCommandLine(input.toString('utf8').split('\0'), {}),
  },
  {
    name: 'accept',
    parses: [],
    seeds: [
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
      'gzip, br;q=0',
    ],
    run: (input) => [chooseFormat(input.toString('latin1')), acceptsGzip(input.toString('latin1'))],
  },
  {
    name: 'alt-names',
    parses: [],
    seeds: ['DNS:a, DNS:"b, c", IP Address:1.2.3.4'],
    run: (input) => subjectAltNames(input.toString('latin1')),
  },
  {
    name: 'environment',
    parses: [],
    seeds: ['1\x003', '60000000\x001'],
    run(input) {
      const [pid, count] = input.toString('latin1').split('\0');
      watchdogPeriodMs({ WATCHDOG_USEC: pid, WATCHDOG_PID: count }, 1);
      return takeListenFds({ LISTEN_PID: pid, LISTEN_FDS: count }, 1);
    },
  },
];

type Parsers<Input> = Readonly<Record<string, (input: Input) => unknown>>;

/** Each parser has its turn: what one refuses the next may take. */
function text(name: string, file: string, parsers: Parsers<string>, seeds: readonly string[]): Target {
  const each = Object.values(parsers);
  return {
    ...{ name, seeds, parses: Object.keys(parsers).map((parser) => `${file} ${parser}`) },
    run: (input) => inTurn(each, input.toString('utf8')),
  };
}

function bytes(name: string, file: string, parsers: Parsers<Buffer>, seeds: readonly string[]): Target {
  const each = Object.values(parsers);
  return {
    ...{ name, seeds, parses: Object.keys(parsers).map((parser) => `${file} ${parser}`) },
    run: (input) => inTurn(each, input),
  };
}

function inTurn<Input>(parsers: readonly ((input: Input) => unknown)[], input: Input): void {
  let refusal: unknown;
  for (const parse of parsers) {
    try {
      parse(input);
    } catch (error) {
      if (!(error instanceof Error) || error.constructor.name !== 'ExporterError') throw error;
      refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
}

function SOCKET(): Uint8Array {
  return encodeSocket({
    ...{ family: 'ipv4', state: 10, local: '10.0.0.1', localPort: 80, attributes: [skmeminfo(1)] },
  });
}

function ENTRY(): Uint8Array {
  return encodeEntry({
    original: { source: '10.0.0.5', destination: '192.0.2.1', sourcePort: 40_000, destinationPort: 443 },
    reply: { source: '192.0.2.1', destination: '198.51.100.1', sourcePort: 443, destinationPort: 2000 },
    ...{ protocol: 6, status: 0x19e, tcpState: 7, timeout: 119 },
  });
}

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'latin1');
}

function latin1(of: Uint8Array): string {
  return Buffer.from(of).toString('latin1');
}
