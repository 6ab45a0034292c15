import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import { DurationSeconds, LocaleFormat, PercentUnit } from '@grafana/grafana-foundation-sdk/units';
import { CALLS, type Call, nameWithError } from '../calls.ts';
import { bars } from '../panels/bars.ts';
import { atEnd, overTime } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { timeSeries, withLevels } from '../panels/timeSeries.ts';
import { chosen } from '../promql.ts';
import { EXHAUSTION_STEPS, LEFT_STEPS, TIME_LEFT_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

/** What the slowest exhaustion that is shown takes, in seconds. */
const A_DAY = 86_400;

/** How close each kind of call is to failing on this host. */
export function regimesRow(): Row {
  return {
    title: '$instance: which call fails next',
    panels: [peakNow(), leftNow(), timeLeft(), ratios(), left()],
  };
}

function peakNow() {
  return bars(
    {
      title: 'Peak ratio of the last minute',
      description:
        'Of the worst destination (TCP connect), the worst local address (bind) or the whole namespace (UDP connect). ' +
        'At 100 % the next call there fails with the error named. The ratio of bind() matters only if something calls ' +
        'bind(address, 0). For estimated namespaces (below) these are upper limits.',
      unit: PercentUnit,
    },
    EXHAUSTION_STEPS,
    CALLS.map((call) => atEnd(`max(${ofCall('port_exhaustion_peak_ratio', call)})`, nameWithError(call))),
  )
    .span(9)
    .max(1)
    .decimals(1);
}

function leftNow() {
  return stat(
    {
      title: 'Calls left',
      description:
        'Further calls that succeed for the worst destination or local address, before EADDRNOTAVAIL (TCP connect), ' +
        'EADDRINUSE (bind) or EAGAIN (UDP connect).',
      unit: LocaleFormat,
    },
    LEFT_STEPS,
    CALLS.map((call) => atEnd(`min(${ofCall('port_exhaustion_available_ports', call)})`, call.name)),
  )
    .span(9)
    .height(8);
}

function timeLeft() {
  const left = chosen('port_exhaustion_available_ports', 'scope="connect"');
  const rate = `-deriv(${left}[30m])`;
  return stat(
    {
      title: 'Exhausted at this rate in',
      description:
        'How long until connect() fails with EADDRNOTAVAIL (TCP) or EAGAIN (UDP), whichever is first, at the rate of ' +
        'the last 30 minutes. Red if within the hour.',
      unit: DurationSeconds,
    },
    TIME_LEFT_STEPS,
    // A number that does not fall lasts for ever: any rate that small is as good.
    [atEnd(`clamp_max(min(${left} / clamp_min(${rate}, 1e-9)), ${A_DAY})`, 'left')],
  )
    .span(6)
    .height(8)
    .decimals(0)
    .mappings([
      {
        type: MappingType.RangeToText,
        options: { from: A_DAY, to: null, result: { text: 'more than a day', color: 'green' } },
      },
    ]);
}

function ratios() {
  return withLevels(
    timeSeries(
      {
        title: 'Exhaustion ratio',
        description:
          'Solid lines are samples as scraped; dashed lines are the highest of the last minute, which no scrape misses. ' +
          'Levels are those of the alerts: 50 % slow connect(), 80 % near, 95 % imminent.',
        unit: PercentUnit,
      },
      ['port_exhaustion_ratio', 'port_exhaustion_peak_ratio'].flatMap((metric) =>
        CALLS.map((call) =>
          overTime(`max(${ofCall(metric, call)})`, metric.includes('peak') ? `${call.name} peak` : call.name),
        ),
      ),
    ),
    EXHAUSTION_STEPS,
  ).overrideByRegexp('/ peak$/', [
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [4, 6] } },
    { id: 'custom.fillOpacity', value: 0 },
  ]);
}

function left() {
  return timeSeries(
    {
      title: 'Calls left over time',
      description:
        'Further calls that succeed for the worst destination or local address. At 0 the application sees EADDRNOTAVAIL ' +
        '(TCP connect), EADDRINUSE (bind) or EAGAIN (UDP connect).',
      unit: LocaleFormat,
    },
    CALLS.map((call) => overTime(`min(${ofCall('port_exhaustion_available_ports', call)})`, call.name)),
  );
}

function ofCall(metric: string, { protocol, scope }: Call): string {
  return chosen(metric, `protocol="${protocol}"`, `scope="${scope}"`);
}
