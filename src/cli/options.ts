import { parsePeriod } from '../base/duration.ts';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../base/logger.ts';
import type { ProbeOptions } from '../probes/openProbes.ts';
import { parseProbe } from '../probes/target.ts';
import { type ListenAddress, parseListenAddress } from '../web/listenAddress.ts';
import { distinct, optional, repeatable, single, toggle } from './flag.ts';
import type { FlagValues } from './readFlags.ts';
import {
  oneOf,
  parseLimit,
  parseNamespaces,
  parsePeriodOrNone,
  parseRatio,
  parseShare,
  parseTelemetryPath,
  pathOf,
} from './values.ts';

/** What the exporter was told to do. Frozen throughout. */
export interface Options {
  readonly web: {
    /** At least one. */
    readonly listenAddresses: readonly ListenAddress[];
    /** Serve on the sockets that systemd hands over instead. */
    readonly systemdSocket: boolean;
    readonly telemetryPath: string;
    /** Undefined for none. */
    readonly configFile: string | undefined;
    /** At a time; 0 for any number. */
    readonly maxRequests: number;
    /** Whether `/` is the status page. */
    readonly page: boolean;
  };
  readonly sample: {
    readonly intervalMs: number;
    /** The most of one core that sampling may use, above 0 and up to 1. */
    readonly maxDuty: number;
    readonly source: 'auto' | 'netlink' | 'procfs';
  };
  readonly destinationsLimit: number;
  readonly localAddressesLimit: number;
  readonly listenersLimit: number;
  readonly ownersLimit: number;
  readonly namespaces: 'self' | 'all' | RegExp;
  readonly namespacesLimit: number;
  readonly fullDumpAbove: number;
  readonly peakWindowMs: number;
  /** Time a sample may take to look for the processes of listeners. */
  readonly processBudgetMs: number;
  /** Whether the kernel is asked for a port at every sample. */
  readonly canary: boolean;
  readonly probes: ProbeOptions;
  /** Mount points of proc(5) and sysfs(5). */
  readonly procfs: string;
  readonly sysfs: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly once: boolean;
  /** Where to record what the kernel says to the first sample; undefined for nowhere. */
  readonly recordFile: string | undefined;
}

const WEB = 'Web:';
const SAMPLING = 'Sampling:';
const NAMESPACES = 'Namespaces:';
const PROBES = 'Probes:';
const SERIES = 'Series:';
const PATHS = 'Paths:';
const LOG = 'Log:';
export const MODE = 'Mode:';

export const OPTION_FLAGS = {
  'web.listen-address': repeatable(
    {
      group: WEB,
      describe: 'Serve on :PORT, HOST:PORT or [IPV6]:PORT; repeatable',
      default: ':10069',
    },
    parseListenAddress,
  ),
  'web.systemd-socket': toggle({
    group: WEB,
    describe: 'Serve on the sockets of a systemd socket unit instead',
  }),
  'web.telemetry-path': single(
    { group: WEB, describe: 'Path of the metrics', default: '/metrics' },
    parseTelemetryPath,
  ),
  'web.config.file': optional(
    { group: WEB, describe: 'TLS, passwords and headers, in the format of exporter-toolkit' },
    pathOf('a file'),
  ),
  'web.max-requests': single(
    { group: WEB, describe: 'Requests to answer at a time; 0 for any number', default: '40' },
    parseLimit,
  ),
  'no-web.page': toggle({
    group: WEB,
    describe: 'Show only links at /, and remember no last hour for the status page',
  }),
  'sample.interval': single(
    { group: SAMPLING, describe: 'Time from the start of one sample to the next', default: '5s' },
    parsePeriod,
  ),
  'sample.max-duty': single(
    {
      group: SAMPLING,
      describe: 'Most CPU time sampling may take, as a share of one core; stretches the interval',
      default: '0.05',
    },
    parseShare,
  ),
  'sample.source': single(
    { group: SAMPLING, describe: 'Read sockets from auto, netlink or procfs', default: 'auto' },
    oneOf(['auto', 'netlink', 'procfs']),
  ),
  'peak.window': single(
    { group: SAMPLING, describe: 'How long a peak ratio remembers its highest sample', default: '1m' },
    parsePeriod,
  ),
  namespaces: single(
    { group: NAMESPACES, describe: 'Network namespaces: self, all, or a regexp of names', default: 'all' },
    parseNamespaces,
  ),
  'namespaces.limit': single(
    { group: NAMESPACES, describe: 'Namespaces to sample, those with most sockets first', default: '500' },
    parseLimit,
  ),
  'namespaces.full-dump-above': single(
    { group: NAMESPACES, describe: 'Read another whole above this share of its ports', default: '0.05' },
    parseRatio,
  ),
  'processes.budget': single(
    {
      group: SAMPLING,
      describe: 'Time to look for processes of new listeners; 0 for never',
      default: '100ms',
    },
    parsePeriodOrNone,
  ),
  'no-canary': toggle({
    group: SAMPLING,
    describe: 'Do not ask the kernel for an ephemeral port at every sample, nor whether ports are blocked',
  }),
  probe: distinct(
    repeatable(
      {
        group: PROBES,
        describe: 'Connect to tcp://HOST:PORT or tcp://[IPV6]:PORT every 15s; repeatable',
        default: '',
      },
      parseProbe,
    ),
  ),
  'probe.file': optional(
    { group: PROBES, describe: 'YAML file of more probes; taken up again when it changes' },
    pathOf('a file'),
  ),
  'destinations.limit': single(
    { group: SERIES, describe: 'Destinations to export, the fullest first', default: '20' },
    parseLimit,
  ),
  'local-addresses.limit': single(
    { group: SERIES, describe: 'Local addresses to export, the fullest first', default: '20' },
    parseLimit,
  ),
  'listeners.limit': single(
    { group: SERIES, describe: 'Listeners to export, the fullest queues first', default: '500' },
    parseLimit,
  ),
  'owners.limit': single(
    {
      group: SERIES,
      describe: 'Owners of ports to export, those with most first; 0 to attribute none',
      default: '20',
    },
    parseLimit,
  ),
  'path.procfs': single(
    { group: PATHS, describe: 'Where procfs is mounted', default: '/proc' },
    pathOf('a directory'),
  ),
  'path.sysfs': single(
    { group: PATHS, describe: 'Where sysfs is mounted', default: '/sys' },
    pathOf('a directory'),
  ),
  'log.level': single(
    { group: LOG, describe: `Least level to log: ${LOG_LEVELS.join(', ')}`, default: 'info' },
    oneOf(LOG_LEVELS),
  ),
  'log.format': single(
    { group: LOG, describe: `How lines are written: ${LOG_FORMATS.join(' or ')}`, default: 'logfmt' },
    oneOf(LOG_FORMATS),
  ),
  once: toggle({ group: MODE, describe: 'Print the metrics of one sample to stdout and exit' }),
  'debug.record': optional(
    { group: MODE, describe: 'Record the raw kernel answers of one sample in a new file', hidden: true },
    pathOf('a file'),
  ),
};

export function toOptions(values: FlagValues<typeof OPTION_FLAGS>): Options {
  return deepFreeze({
    web: {
      listenAddresses: values['web.listen-address'],
      systemdSocket: values['web.systemd-socket'],
      telemetryPath: values['web.telemetry-path'],
      configFile: values['web.config.file'],
      maxRequests: values['web.max-requests'],
      page: !values['no-web.page'],
    },
    sample: {
      intervalMs: values['sample.interval'],
      maxDuty: values['sample.max-duty'],
      source: values['sample.source'],
    },
    destinationsLimit: values['destinations.limit'],
    localAddressesLimit: values['local-addresses.limit'],
    listenersLimit: values['listeners.limit'],
    ownersLimit: values['owners.limit'],
    namespaces: values.namespaces,
    namespacesLimit: values['namespaces.limit'],
    fullDumpAbove: values['namespaces.full-dump-above'],
    peakWindowMs: values['peak.window'],
    processBudgetMs: values['processes.budget'],
    canary: !values['no-canary'],
    probes: { targets: values.probe, file: values['probe.file'] },
    procfs: values['path.procfs'],
    sysfs: values['path.sysfs'],
    log: { level: values['log.level'], format: values['log.format'] },
    once: values.once,
    recordFile: values['debug.record'],
  });
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}
