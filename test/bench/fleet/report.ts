import type { AgentRun } from './agent.ts';
import { familiesOf, seriesOf } from './count.ts';
import { DROPPING } from './dropping.ts';
import { type Capture, KINDS } from './kinds.ts';
import type { FleetRun } from './run.ts';

/** Markdown: series and bytes of a scrape, and what dropping saves. */
export function captureTables(captures: readonly Capture[]): string {
  const of = (wanted: string) => captures.find(({ kind }) => kind === wanted);
  const rows = KINDS.flatMap(({ kind, name, share }) => {
    const capture = of(kind);
    if (capture === undefined) return [];
    const { text, textGzip, openmetrics, openmetricsGzip } = capture.bytes;
    const bytes = [text, textGzip, openmetrics, openmetricsGzip].map(grouped);
    return [row(name, grouped(seriesOf(capture.text)), ...bytes, `${share} %`)];
  });
  const dropped = DROPPING.map(({ what, regex }) =>
    row(
      what,
      ...captures.map(({ text }) => {
        const matching = [...familiesOf(text)].filter(([name]) => new RegExp(`^(?:${regex})$`).test(name));
        return grouped(matching.reduce((sum, [, count]) => sum + count, 0));
      }),
    ),
  );
  return [
    row(
      'kind of host',
      'series',
      'text',
      'text, gzip',
      'OpenMetrics',
      'OpenMetrics, gzip',
      'share of the fleet',
    ),
    '|---|--:|--:|--:|--:|--:|--:|',
    ...rows,
    '',
    row('dropped', ...captures.map(({ kind }) => KINDS.find((one) => one.kind === kind)?.name ?? kind)),
    `|---${'|--:'.repeat(captures.length)}|`,
    ...dropped,
  ].join('\n');
}

/** Markdown: what one Prometheus needs for them, and how long the row of the fleet takes to ask. */
export function runTables(run: FleetRun): string {
  const { disk, memory } = run;
  const figures: [string, string][] = [
    ['hosts, of them up', `${grouped(run.hosts)}, ${grouped(run.up)}`],
    ['interval of scrapes and evaluations', `${run.interval} s`],
    ['duration', `${run.minutes} min`],
    ['load of the machine at its end', run.loadAverage.toFixed(1)],
    ['series in the head', grouped(run.headSeries)],
    ['samples a second', grouped(Math.round(run.samplesPerSecond))],
    ['CPU', `${run.cores.toFixed(2)} cores`],
    ['resident memory, peak', `${megabytes(memory.now)}, ${megabytes(memory.peak)}`],
    ['the same for each series', `${(memory.peak / run.headSeries / 1024).toFixed(1)} KiB`],
    ['heap in use', megabytes(run.heapInUse)],
    [
      'scrape duration, median and 99 %',
      `${seconds(run.scrapeSeconds.median)}, ${seconds(run.scrapeSeconds.p99)}`,
    ],
    ...Object.entries(run.ruleSeconds).map(([name, time]): [string, string] => [
      `rules of ${name}`,
      seconds(time),
    ]),
    ['evaluations missed', grouped(run.missedIterations)],
    ['WAL for each sample', `${(disk.wal / disk.samples).toFixed(1)} B`],
    ['chunks for each sample', `${(disk.chunks / disk.samples).toFixed(1)} B`],
    ['index for each series', `${Math.round(disk.index / disk.series)} B`],
  ];
  const names = Object.keys(run.queries);
  const first = run.queries[names[0] ?? ''] ?? [];
  const queries = first.map(({ panel }, nth) =>
    row(
      `${panel} (${nth + 1})`,
      ...names.map((name) => seconds(run.queries[name]?.[nth]?.seconds ?? Number.NaN)),
    ),
  );
  return [
    row('what', 'measured'),
    '|---|--:|',
    ...figures.map((figure) => row(...figure)),
    '',
    row('query of', ...names),
    `|---${'|--:'.repeat(names.length)}|`,
    ...queries,
  ].join('\n');
}

/** Markdown: what an agent needs, and sends. */
export function agentTable(run: AgentRun): string {
  return [
    row('what', 'measured'),
    '|---|--:|',
    row('hosts, interval', `${run.hosts}, ${run.interval} s`),
    row('series', grouped(run.series)),
    row('samples a second', grouped(Math.round(run.samplesPerSecond))),
    row('bytes sent for each sample', run.bytesPerSample.toFixed(1)),
    row('resident memory, peak', megabytes(run.memory.peak)),
    row('samples that failed', grouped(run.failed)),
  ].join('\n');
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

function megabytes(bytes: number): string {
  return `${grouped(Math.round(bytes / 1e6))} MB`;
}

function seconds(value: number): string {
  return value < 0.1 ? `${(value * 1000).toFixed(1)} ms` : `${value.toFixed(2)} s`;
}
