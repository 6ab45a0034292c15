import { parseAllowedHost } from '../../web/allowedHosts.ts';
import { type ListenAddress, parseListenAddress } from '../../web/listenAddress.ts';
import { optional, repeatable, single, toggle } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import { parseLimit, parseLink, parseTelemetryPath, pathOf } from '../values.ts';

/** How metrics and the status page are served. */
export interface WebOptions {
  /** At least one. */
  readonly listenAddresses: readonly ListenAddress[];
  /** Serve on the sockets that systemd hands over instead. */
  readonly systemdSocket: boolean;
  readonly telemetryPath: string;
  /** Undefined for none. */
  readonly configFile: string | undefined;
  /** At a time; 0 for any number. */
  readonly maxRequests: number;
  /** Host names that are answered, a leading dot for all below it; empty for any. */
  readonly allowedHosts: readonly string[];
  /** Whether all metrics of the process that serves are exposed, or only when it started. */
  readonly exporterMetrics: boolean;
  /** Whether `/` is the status page. */
  readonly page: boolean;
  /** Where its links lead; undefined for no such link. */
  readonly dashboardUrl: string | undefined;
  readonly runbookUrl: string | undefined;
}

const WEB = 'Web:';

export const WEB_FLAGS = {
  'web.listen-address': repeatable(
    {
      group: WEB,
      describe: 'Listen on :PORT, HOST:PORT or [IPV6]:PORT; repeatable',
      default: ':10069',
    },
    parseListenAddress,
  ),
  'web.systemd-socket': toggle({
    group: WEB,
    describe: 'Use systemd socket activation instead of --web.listen-address',
  }),
  'web.telemetry-path': single(
    { group: WEB, describe: 'Path under which to expose metrics', default: '/metrics' },
    parseTelemetryPath,
  ),
  'web.config.file': optional(
    {
      group: WEB,
      describe: 'File that configures TLS, authentication, headers and a rate limit, as in exporter-toolkit',
      suggests: 'file',
    },
    pathOf('a file'),
  ),
  'web.max-requests': single(
    { group: WEB, describe: 'Maximum concurrent requests; 0 means unlimited', default: '40' },
    parseLimit,
  ),
  'web.allowed-hosts': repeatable(
    {
      group: WEB,
      describe: 'Host name to answer to, or .DOMAIN for all names below it; others get a 421; repeatable',
      default: '',
    },
    parseAllowedHost,
  ),
  'web.disable-exporter-metrics': toggle({
    group: WEB,
    describe:
      'Exclude the metrics of the process itself (process_*, nodejs_*), except process_start_time_seconds',
  }),
  'no-web.page': toggle({
    group: WEB,
    describe: 'Serve only links at /, without status page and history',
  }),
  'web.dashboard-url': optional(
    { group: WEB, describe: 'URL of the dashboard of this host, for a link on the status page' },
    parseLink,
  ),
  'web.runbook-url': optional(
    { group: WEB, describe: 'URL of the runbooks, for a link on the status page' },
    parseLink,
  ),
};

export function webOptions(values: FlagValues<typeof WEB_FLAGS>): WebOptions {
  return {
    listenAddresses: values['web.listen-address'],
    systemdSocket: values['web.systemd-socket'],
    telemetryPath: values['web.telemetry-path'],
    configFile: values['web.config.file'],
    maxRequests: values['web.max-requests'],
    allowedHosts: values['web.allowed-hosts'],
    exporterMetrics: !values['web.disable-exporter-metrics'],
    page: !values['no-web.page'],
    dashboardUrl: values['web.dashboard-url'],
    runbookUrl: values['web.runbook-url'],
  };
}
