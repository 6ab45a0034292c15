import { parsePeriod } from '../base/duration.ts';
import { invalidValue } from '../base/errors.ts';
import { readServices, servicePort } from '../owners/services.ts';
import { Lookups } from '../probes/lookups.ts';
import { probe } from '../probes/probe.ts';
import { Slots } from '../probes/slots.ts';
import { parseSource } from '../probes/target.ts';
import { probeReport } from '../reports/probeReport.ts';
import type { Command } from './command.ts';
import { optional, single } from './flag.ts';
import { beginInNetns, NETNS } from './netns.ts';
import { QUERY_FLAGS } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { parsePort } from './values.ts';

const PROBE = 'Probe:';

const FLAGS = {
  json: QUERY_FLAGS.json,
  netns: NETNS,
  'path.procfs': QUERY_FLAGS['path.procfs'],
  timeout: single(
    {
      group: PROBE,
      describe: 'Timeout of the whole probe, shared by the addresses of a name',
      default: '5s',
    },
    parsePeriod,
  ),
  source: optional({ group: PROBE, describe: 'Address of this host to connect from' }, parseSource),
};

/** What `nc -zv HOST PORT` answers. */
export const probeCommand: Command = {
  pattern: 'probe <host> <port>',
  describe: 'Connect once over TCP and report the result; exit with 1 if it fails',
  positionals: {
    host: 'Host name or IP address; the addresses of a name are tried in turn',
    port: 'Port number or service name',
  },
  flags: FLAGS,
  invoke(commandLine, environment) {
    const {
      json,
      netns,
      timeout,
      source,
      'path.procfs': procfs,
    } = readFlags(FLAGS, commandLine, environment);
    const host = String(commandLine['host']);
    if (host === '') throw invalidValue(host, 'a host name or an IP address');
    const port = portOf(String(commandLine['port']));
    const from = source === undefined ? {} : { source: parseSource(source, host) };
    return {
      kind: 'report',
      asJson: json,
      async report() {
        beginInNetns(netns, procfs);
        const limits = { timeoutMs: timeout, longestWaitMs: timeout };
        const places = { lookups: new Lookups(), slots: new Slots(1) };
        const outcome = await probe({ host, port, ...from }, limits, places);
        const service = readServices().name(port, 'tcp');
        return probeReport({ host, port, ...from, service, timeoutMs: timeout, outcome, netns });
      },
    };
  },
};

function portOf(text: string): number {
  if (/^\d+$/.test(text)) return parsePort(text);
  const port = servicePort(text, 'tcp');
  if (port !== undefined) return port;
  throw invalidValue(text, 'a port from 1 to 65535 or the name of a service');
}
