import { ephemeralRange } from '../aggregate/range.ts';
import { parsePeriod } from '../base/duration.ts';
import { readPortSysctls } from '../kernel/sysctl.ts';
import { readServices } from '../owners/services.ts';
import { type Scan, scanReport } from '../reports/scanReport.ts';
import { type ScannedPort, scanPorts } from '../scan/scan.ts';
import { compareWithListeners } from '../scan/scanDifferences.ts';
import { findScanTarget, type ScanTarget } from '../scan/scanTarget.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Command } from './command.ts';
import { single, toggle } from './flag.ts';
import { NETNS } from './netns.ts';
import type { Query } from './query.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { type PortList, parsePortList, usualPorts } from './scanPortList.ts';
import { openScanProgress } from './scanProgress.ts';
import { wholeNumber } from './values.ts';

const SCAN = 'Scan:';

/** Descriptors limit it as well, which the scan itself finds out. */
const MOST_AT_ONCE = 10_000;

const FLAGS = {
  ...QUERY_FLAGS,
  netns: NETNS,
  ports: single(
    {
      group: SCAN,
      describe:
        'Ports to scan: a list like 1-1024,8000-9000, all, or usual: 1-1024, those named in /etc/services and, on ' +
        'this host, those with a listener',
      default: 'usual',
    },
    parsePortList,
  ),
  ipv6: toggle({ group: SCAN, describe: 'Scan the IPv6 address of a host name' }),
  timeout: single(
    { group: SCAN, describe: 'Timeout of one attempt; a port that does not answer gets two', default: '1s' },
    parsePeriod,
  ),
  concurrency: single(
    {
      group: SCAN,
      describe: 'Maximum ports to scan at once; at most a quarter of the ephemeral ports',
      default: '256',
    },
    wholeNumber(1, MOST_AT_ONCE),
  ),
};

/** What `nmap -sT` answers, and for this host what the listener table makes of it. */
export const scanCommand: Command = {
  pattern: 'scan [host]',
  describe:
    'Scan the TCP ports of a host (open, closed or filtered) and, on this host, compare them with its listeners; exit ' +
    'with 0 whatever the scan finds',
  positionals: { host: 'Host name, IPv4 or IPv6 address; default: localhost' },
  flags: FLAGS,
  invoke(commandLine, environment) {
    const host = String(commandLine['host'] ?? 'localhost');
    const { ports, ipv6, timeout, concurrency, ...values } = readFlags(FLAGS, commandLine, environment);
    const ask: Query['ask'] = async (asked) => {
      const target = await findScanTarget(host, ipv6);
      const listeners = () => (target.isThisHost ? asked.sample()[0].listeners : []);
      const before = listeners();
      const services = readServices();
      const service = (port: number) => services.name(port, 'tcp');
      const toAsk = portsToAsk(ports, before, service);
      const startedAt = performance.now();
      const { scanned, wasInterrupted } = await watchedScan(target, toAsk, !values.json, {
        timeoutMs: timeout,
        concurrency: Math.min(concurrency, fairShare(values['path.procfs'])),
      });
      const scan: Scan = {
        target,
        ports: target.isThisHost
          ? compareWithListeners(scanned, target.address, before, listeners())
          : scanned.map((port) => ({ ...port, listener: undefined, difference: undefined })),
        toAsk: toAsk.length,
        seconds: (performance.now() - startedAt) / 1000,
        wasInterrupted,
        service,
      };
      return scanReport(scan);
    };
    return queryInvocation(values, ask, { connects: true });
  },
};

function portsToAsk(
  ports: PortList,
  listeners: readonly DescribedListener[],
  service: (port: number) => string,
): readonly number[] {
  if (ports !== 'usual') return ports;
  const listened = new Set(listeners.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port));
  return usualPorts((port) => listened.has(port) || service(port) !== '');
}

/** Each connection under way holds a port that no bind(address, 0) gets meanwhile: most are left to others. */
function fairShare(procfs: string): number {
  return Math.max(1, Math.floor(ephemeralRange(readPortSysctls(procfs)).usableCount / 4));
}

/** With a bar for whoever waits at a terminal. Ctrl-C ends the scan at once with what it has; a second one the program. */
async function watchedScan(
  { address }: ScanTarget,
  ports: readonly number[],
  isWatched: boolean,
  how: { timeoutMs: number; concurrency: number },
): Promise<{ scanned: ScannedPort[]; wasInterrupted: boolean }> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt);
  const progress = isWatched
    ? openScanProgress(process.stderr, process.env, address, ports.length)
    : undefined;
  try {
    const scanned = await scanPorts({
      ...{ address, ports, ...how, signal: interrupted.signal },
      onScanned: (port) => progress?.scanned(port),
    });
    return { scanned, wasInterrupted: interrupted.signal.aborted };
  } finally {
    progress?.end();
    process.off('SIGINT', interrupt);
  }
}
