import { availableParallelism, release } from 'node:os';
import type { ContenderName } from './contenders.ts';
import type { DaemonRun } from './daemon.ts';
import type { NatRun } from './nat.ts';
import type { PodsRun } from './pods.ts';
import type { Timings } from './rounds.ts';
import { quantile } from './statistics.ts';

export interface Results {
  readonly rounds: number;
  /** Of the last minute before the start; 0 is a machine with nothing else to do. */
  readonly loadAverage: number;
  readonly sockets: number;
  readonly fewSockets: number;
  /** All contenders on the largest population. */
  readonly contest: Timings;
  /** On listeners and nothing else. */
  readonly listening: Scale & { readonly daemon: DaemonRun };
  /** Samples on growing populations, the largest last. */
  readonly scales: readonly Scale[];
  readonly peers: readonly { readonly name: ContenderName; readonly bytes: number }[];
  /** Bytes, of the exporter with few sockets at its usual interval. */
  readonly idleMemory: number;
  readonly daemonOfFew: DaemonRun;
  readonly commandSockets: number;
  readonly commands: Timings;
  readonly daemonOfMany: DaemonRun;
  readonly podsRun: PodsRun;
  readonly connects: Timings;
  readonly nat: NatRun;
}

interface Scale {
  readonly sockets: number;
  readonly timings: Timings;
}

interface Row {
  readonly what: string;
  readonly median: string;
  readonly range?: string;
  readonly ratio?: string;
  readonly target?: Target;
}

interface Target {
  readonly text: string;
  readonly met: boolean;
}

const TARGETS = {
  ofReceive: 0.85,
  netlinkOfReceive: 1.2,
  fasterThanSs: 3.3,
  fasterThanNodeExporter: 4.5,
  /** Time per socket of the largest table over that of the smallest. */
  linearity: 1.25,
  idleMegabytes: 75,
  peakMegabytes: 100,
  growthMegabytes: 20,
  p99Milliseconds: 10,
  /** Sample with owners over one without. */
  ofAttribution: 1.1,
  listeningMilliseconds: 150,
  listeningP99Milliseconds: 50,
  /** A sample of all namespaces over one of the large one alone. */
  ofPods: 1.15,
  /** CPU time of connections while refused calls are counted over that while nobody counts. */
  ofCounting: 1.05,
  /** CPU time of `--version`. */
  versionSeconds: 0.25,
  /** A command over `ss` that asks for as much. */
  ofSs: 3,
  /** What is behind a NAT: a whole collection over receiving the dump, and what its entries take. */
  snatOfReceive: 1.5,
  snatMegabytes: 10,
};

const LABELS: Record<ContenderName, string> = {
  sample: 'whole sample',
  sample_netlink: 'whole sample over netlink',
  sample_without_owners: 'sample that attributes nothing to owners or processes',
  sample_alone: 'sample of the large namespace alone',
  sample_all: 'sample of all',
  sample_all_naively: 'sample of all over netlink, each read whole',
  connects: '20\u202f000 loopback connections, CPU time',
  connects_counted: 'the same while refused calls are counted',
  node_nothing: '`node -e 0`, CPU time',
  version: '`port-exporter --version`, CPU time',
  ss_processes: '`ss -tanp`',
  listeners: '`port-exporter listeners`',
  destinations: '`port-exporter destinations`',
  snat: 'ports behind a NAT',
  snat_receive: 'receive-only C program, dump of tracked connections',
  snat_idle: 'ports behind a NAT',
  receive: 'receive-only C program, netlink',
  ss: '`ss -tan`',
  node_exporter: 'node_exporter `--collector.tcpstat`, one scrape',
  cat: '`cat /proc/net/tcp /proc/net/tcp6`',
};

/** A Markdown table with the conditions above it. */
export function report(results: Results): string {
  const rows = [
    ...contenderRows(results.contest),
    ...linearityRows(results.scales),
    ...memoryRows(results),
    ...latencyRows(results.daemonOfMany, TARGETS.p99Milliseconds),
    ...listeningRows(results.listening),
    ...podsRows(results.podsRun),
    ...connectsRows(results.connects),
    ...commandRows(results),
    ...natRows(results.nat),
  ];
  return table(`${grouped(results.sockets)} TCP sockets`, rows, results);
}

/** The rows of what is behind a NAT alone. */
export function reportNat(nat: NatRun, conditions: Pick<Results, 'rounds' | 'loadAverage'>): string {
  return table(`${grouped(nat.entries)} tracked connections`, natRows(nat), conditions);
}

function table(
  what: string,
  rows: readonly Row[],
  { rounds, loadAverage }: Pick<Results, 'rounds' | 'loadAverage'>,
): string {
  return [
    `${what}; medians of ${rounds} rounds, ratios within the rounds;`,
    `Linux ${release()}, Node.js ${process.version}, ${availableParallelism()} cores, load average ${loadAverage.toFixed(1)}.`,
    '',
    '| what | median | min – max | ratio | target | result |',
    '|---|--:|--:|--:|--:|---|',
    ...rows.map(tableLine),
  ].join('\n');
}

function contenderRows(timings: Timings): Row[] {
  const attribution = timings.ratio('sample', 'sample_without_owners');
  const toReceive = timings.ratio('sample', 'receive');
  const netlinkToReceive = timings.ratio('sample_netlink', 'receive');
  const slowerThanSample = (name: ContenderName) => ({
    ...timeRow(name, timings),
    ratio: `${timings.ratio(name, 'sample').toFixed(1)} × sample`,
  });
  return [
    {
      ...timeRow('sample', timings),
      ratio: `${toReceive.toFixed(2)} × receive-only`,
      target: atMost(toReceive, TARGETS.ofReceive),
    },
    {
      ...timeRow('sample_netlink', timings),
      ratio: `${netlinkToReceive.toFixed(2)} × receive-only`,
      target: atMost(netlinkToReceive, TARGETS.netlinkOfReceive),
    },
    {
      ...timeRow('sample_without_owners', timings),
      ratio: `the whole is ${attribution.toFixed(2)} × this`,
      target: atMost(attribution, TARGETS.ofAttribution),
    },
    timeRow('receive', timings),
    { ...slowerThanSample('ss'), target: atLeast(timings.ratio('ss', 'sample'), TARGETS.fasterThanSs) },
    {
      ...slowerThanSample('node_exporter'),
      target: atLeast(timings.ratio('node_exporter', 'sample'), TARGETS.fasterThanNodeExporter),
    },
    slowerThanSample('cat'),
  ];
}

function linearityRows(scales: readonly Scale[]): Row[] {
  const smallest = scales[0];
  if (smallest === undefined) return [];
  const perSocket = ({ sockets, timings }: Scale) => timings.of('sample').median / sockets;
  return scales.map((scale) => {
    const growth = perSocket(scale) / perSocket(smallest);
    const microseconds = (seconds: number) => (seconds / scale.sockets) * 1e6;
    const { min, max } = scale.timings.of('sample');
    const row = {
      what: `sample of ${grouped(scale.sockets)} sockets, time per socket`,
      median: `${(perSocket(scale) * 1e6).toFixed(2)} µs`,
      range: `${microseconds(min).toFixed(2)} – ${microseconds(max).toFixed(2)}`,
    };
    if (scale === smallest) return row;
    const ratio = `${growth.toFixed(2)} × that of ${grouped(smallest.sockets)}`;
    return { ...row, ratio, target: atMost(growth, TARGETS.linearity) };
  });
}

function memoryRows({ fewSockets, sockets, idleMemory, daemonOfFew, daemonOfMany, peers }: Results): Row[] {
  const few = megabytes(daemonOfFew.peakMemory);
  const many = megabytes(daemonOfMany.peakMemory);
  const idle = megabytes(idleMemory);
  return [
    {
      what: `memory of the exporter at its usual interval, ${grouped(fewSockets)} sockets`,
      median: `${idle.toFixed(1)} MB`,
      target: atMost(idle, TARGETS.idleMegabytes, ' MB'),
    },
    { what: `peak memory of the exporter, ${grouped(fewSockets)} sockets`, median: `${few.toFixed(1)} MB` },
    {
      what: `peak memory of the exporter, ${grouped(sockets)} sockets`,
      median: `${many.toFixed(1)} MB`,
      target: atMost(many, TARGETS.peakMegabytes, ' MB'),
    },
    {
      what: 'growth between them',
      median: `${(many - few).toFixed(1)} MB`,
      target: atMost(many - few, TARGETS.growthMegabytes, ' MB'),
    },
    ...peers.map(({ name, bytes }) => ({
      what: `peak memory of ${name}`,
      median: `${megabytes(bytes).toFixed(1)} MB`,
      ratio: `${(megabytes(bytes) / many).toFixed(1)} × exporter`,
    })),
  ];
}

function listeningRows({ sockets, timings, daemon }: Results['listening']): Row[] {
  const { median, min, max } = timings.of('sample');
  const milliseconds = (seconds: number) => (seconds * 1000).toFixed(1);
  return [
    {
      what: `sample of ${grouped(sockets)} listeners, after the first`,
      median: `${milliseconds(median)} ms`,
      range: `${milliseconds(min)} – ${milliseconds(max)}`,
      target: atMost(max * 1000, TARGETS.listeningMilliseconds, ' ms'),
    },
    ...latencyRows(daemon, TARGETS.listeningP99Milliseconds).map((row) => ({
      ...row,
      what: `${row.what}, ${grouped(sockets)} listeners`,
    })),
  ];
}

function podsRows({ pods, timings, naive }: PodsRun): Row[] {
  const row = (name: ContenderName, timed = timings): Row => ({
    ...timeRow(name, timed),
    what: `${LABELS[name]}, ${grouped(pods)} small namespaces beside it`,
  });
  const toAlone = timings.ratio('sample_all', 'sample_alone');
  const naiveToAlone = naive.of('sample_all_naively').median / timings.of('sample_alone').median;
  return [
    row('sample_alone'),
    {
      ...row('sample_all'),
      ratio: `${toAlone.toFixed(2)} × alone`,
      target: atMost(toAlone, TARGETS.ofPods),
    },
    { ...row('sample_all_naively', naive), ratio: `${naiveToAlone.toFixed(1)} × alone` },
  ];
}

function connectsRows(timings: Timings): Row[] {
  const ratio = timings.ratio('connects_counted', 'connects');
  return [
    timeRow('connects', timings),
    {
      ...timeRow('connects_counted', timings),
      ratio: `${ratio.toFixed(3)} × uncounted`,
      target: atMost(ratio, TARGETS.ofCounting),
    },
  ];
}

function commandRows({ commands, commandSockets }: Results): Row[] {
  const versionSeconds = commands.of('version').median;
  const beside = (name: ContenderName): Row => ({
    ...timeRow(name, commands),
    what: `${LABELS[name]}, ${grouped(commandSockets)} sockets`,
  });
  const besideSs = (name: ContenderName): Row => {
    const ratio = commands.ratio(name, 'ss_processes');
    return { ...beside(name), ratio: `${ratio.toFixed(2)} × ss`, target: atMost(ratio, TARGETS.ofSs) };
  };
  return [
    timeRow('node_nothing', commands),
    { ...timeRow('version', commands), target: atMost(versionSeconds, TARGETS.versionSeconds, ' s') },
    beside('ss_processes'),
    besideSs('listeners'),
    besideSs('destinations'),
  ];
}

function natRows({ entries, timings, samplerMemory, idle }: NatRun): Row[] {
  const ratio = timings.ratio('snat', 'snat_receive');
  const growth = megabytes(samplerMemory.with - samplerMemory.without);
  const idleTime = idle.timings.of('snat_idle');
  const milliseconds = (seconds: number) => (seconds * 1000).toFixed(2);
  const walked = `${idle.walks} walks`;
  return [
    {
      ...timeRow('snat', timings),
      what: `${LABELS.snat}, ${grouped(entries)} tracked connections`,
      ratio: `${ratio.toFixed(2)} × receive-only`,
      target: atMost(ratio, TARGETS.snatOfReceive),
    },
    timeRow('snat_receive', timings),
    {
      what: `peak memory of the sampler alone, ${grouped(entries)} tracked connections`,
      median: `${megabytes(samplerMemory.with).toFixed(1)} MB`,
      ratio: `${growth.toFixed(1)} MB more than with none`,
      target: atMost(growth, TARGETS.snatMegabytes, ' MB'),
    },
    {
      what: `${LABELS.snat_idle} of ${grouped(idle.pods)} namespaces that track nothing, in a sample`,
      median: `${milliseconds(idleTime.median)} ms`,
      range: `${milliseconds(idleTime.min)} – ${milliseconds(idleTime.max)}`,
      ratio: walked,
      target: atMost(idle.walks, 0, ' walks'),
    },
  ];
}

function latencyRows({ milliseconds, samples }: DaemonRun, limit: number): Row[] {
  const p99 = quantile(milliseconds, 0.99);
  const conditions = `${grouped(milliseconds.length)} requests during ${samples} samples`;
  return [
    {
      what: `\`/metrics\` p50, ${conditions}`,
      median: `${quantile(milliseconds, 0.5).toFixed(1)} ms`,
      range: `${quantile(milliseconds, 0).toFixed(1)} – ${quantile(milliseconds, 1).toFixed(1)}`,
    },
    {
      what: '`/metrics` p99',
      median: `${p99.toFixed(1)} ms`,
      target: atMost(p99, limit, ' ms'),
    },
  ];
}

function timeRow(name: ContenderName, timings: Timings): Row {
  const { median, min, max } = timings.of(name);
  const range = `${min.toFixed(3)} – ${max.toFixed(3)}`;
  return { what: LABELS[name], median: `${median.toFixed(3)} s`, range };
}

function atMost(value: number, limit: number, unit = ''): Target {
  return { text: `≤ ${limit}${unit}`, met: value <= limit };
}

function atLeast(value: number, limit: number): Target {
  return { text: `≥ ${limit}`, met: value >= limit };
}

function tableLine({ what, median, range = '', ratio = '', target }: Row): string {
  const result = target === undefined ? '' : target.met ? 'met' : '**missed**';
  return `| ${[what, median, range, ratio, target?.text ?? '', result].join(' | ')} |`;
}

function megabytes(bytes: number): number {
  return bytes / 1e6;
}

/** 400 000, with a narrow no-break space. */
function grouped(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', '\u202f');
}
