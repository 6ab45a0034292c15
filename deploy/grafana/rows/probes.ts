import { LocaleFormat, NoUnit, Seconds } from '@grafana/grafana-foundation-sdk/units';
import { coloured, yesOrNo } from '../panels/cells.ts';
import { atEnd, overTime } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { timeSeries } from '../panels/timeSeries.ts';
import { HOST, highest } from '../promql.ts';
import { NONE_WANTED_STEPS, PLAIN_STEPS, WANTED_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const ENDED_AT = `port_probe_timestamp_seconds{${HOST}}`;

/** Of when it was scraped. */
const AGE = `max by (target) (timestamp(${ENDED_AT}) - ${ENDED_AT})`;

const FAILS = `max by (target) (port_probe_success{${HOST}} == bool 0)`;

/** Whether what matters can be connected to, as a fact beside what the other rows calculate. */
export function probesRow(): Row {
  return {
    title: '$instance: probes',
    panels: [
      ...[targets(), failing(), withoutPort(), probeFile()],
      ...[probes(), failingByTarget(), failingByReason(), connecting(), resolving(), ages()],
    ],
  };
}

function targets() {
  return stat(
    {
      title: 'Probe targets',
      description: 'Targets of --probe and --probe.file, probed or not.',
      unit: LocaleFormat,
    },
    PLAIN_STEPS,
    [atEnd(`sum(port_probe_targets{${HOST}})`, 'targets')],
  );
}

function failing() {
  return stat(
    {
      title: 'Failing targets',
      description: 'Targets to which the last connect() failed, for any reason.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [atEnd(`sum(port_probe_success{${HOST}} == bool 0) or vector(0)`, 'failing')],
  );
}

function withoutPort() {
  return stat(
    {
      title: 'Failing without a local port',
      description:
        'connect() failed with EADDRNOTAVAIL before anything was sent: the targets are not down, this host has no port.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [atEnd(`sum(port_probe_error_info{${HOST}, reason="no_local_port"}) or vector(0)`, 'without a port')],
  );
}

function probeFile() {
  return stat(
    {
      title: 'Probe file valid',
      description:
        '1 if the last load of --probe.file succeeded; 0 if the previous one stays in effect, and the log names the ' +
        'line. Empty without a file.',
      unit: NoUnit,
    },
    WANTED_STEPS,
    [atEnd(`min(port_probe_file_last_reload_successful{${HOST}})`, 'good')],
  );
}

function probes() {
  const took = (phase: string) => `max by (target) (port_probe_duration_seconds{${HOST}, phase="${phase}"})`;
  return table(
    {
      title: 'Targets',
      description:
        'Result of the last connect() to each. no_local_port is EADDRNOTAVAIL because this host has no port left, ' +
        'no_source_address the same error because it has no address; neither says anything about the target. refused ' +
        'is ECONNREFUSED, timeout means no answer. Resolve is empty if the target is an address.',
      unit: NoUnit,
    },
    [
      { label: 'target', name: 'Target' },
      { label: 'reason', name: 'Reason' },
    ],
    [
      { expr: FAILS, name: 'Outcome', properties: yesOrNo('fails', 'connects', { yes: 'red', no: 'green' }) },
      // For its label, which those that connect have not.
      { expr: `max by (target, reason) (port_probe_error_info{${HOST}})` },
      { expr: took('resolve'), name: 'Resolve', properties: coloured(Seconds, PLAIN_STEPS) },
      { expr: took('connect'), name: 'Connect', properties: coloured(Seconds, PLAIN_STEPS) },
      { expr: AGE, name: 'Age', properties: coloured(Seconds, PLAIN_STEPS) },
      {
        expr: `max by (target) (port_probe_interval_seconds{${HOST}})`,
        name: 'Interval',
        properties: coloured(Seconds, PLAIN_STEPS),
      },
    ],
    'Outcome',
  );
}

function failingByTarget() {
  return timeSeries(
    {
      title: 'Failing by target',
      description: '1 while connect() fails: ten of the targets that failed in the time range.',
      unit: NoUnit,
    },
    [overTime(highest(10, FAILS), '{{target}}')],
  ).max(1);
}

function failingByReason() {
  return timeSeries(
    {
      title: 'Failing by reason',
      description:
        'Failing targets. no_local_port: EADDRNOTAVAIL, this host has no port left for them; expected to rise when the ' +
        'ratio of their destination is 100 %.',
      unit: LocaleFormat,
    },
    [overTime(`sum by (reason) (port_probe_error_info{${HOST}})`, '{{reason}}')],
  );
}

function connecting() {
  return slowest('connect', 'Time to connect', 'connect() to all addresses tried, one after the other.');
}

function resolving() {
  return slowest('resolve', 'Time to resolve', 'getaddrinfo() for targets that are names.');
}

function slowest(phase: string, title: string, description: string) {
  const took = `max by (target) (port_probe_duration_seconds{${HOST}, phase="${phase}"})`;
  return timeSeries(
    {
      title,
      description: `${description} The ten slowest targets in the time range, failed or not.`,
      unit: Seconds,
    },
    [overTime(highest(10, took), '{{target}}')],
  ).span(8);
}

function ages() {
  return timeSeries(
    {
      title: 'Age of the last probe',
      description:
        'Age when scraped, of the ten oldest in the time range. Several intervals if too many targets do not answer, so ' +
        'that others have to wait.',
      unit: Seconds,
    },
    [overTime(highest(10, AGE), '{{target}}')],
  ).span(8);
}
