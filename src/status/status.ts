import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import type { ProbesState } from '../probes/openProbes.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import { type CollectorFailure, failuresOf } from '../snapshot/failure.ts';
import type { NamedDestinations } from '../snapshot/results.ts';
import { fullResults, listenersOf as listenersTable } from '../snapshot/sample.ts';
import { ageOf, type SamplingState } from '../snapshot/samplingState.ts';
import type { NamespaceSnapshot, Snapshot } from '../snapshot/snapshot.ts';
import type { SourceKind } from '../sockets/source.ts';
import { type CanaryStatus, canaryOf } from './canary.ts';
import type { History, HourPeak } from './history.ts';
import { levelOf } from './level.ts';
import { listenersOf, queueRatioOf } from './listeners.ts';
import { type OwnerShare, ownersOf } from './owners.ts';
import { type ProbesStatus, probesOf } from './probes.ts';
import { readinessOf } from './readiness.ts';
import { NO_REFUSALS, type RefusalState } from './refusalLedger.ts';
import { type RefusalsStatus, refusalsOf } from './refusals.ts';
import { type RegimeStatus, regimesOf } from './regimes.ts';
import { natOf } from './snat.ts';
import type { Timeline } from './timeline.ts';
import { type Led, urgencyOf, worstOf } from './worst.ts';

/** What a person is shown: plain data, of one moment. */
export interface Status {
  /** One line: why the numbers cannot be trusted, or are not there. undefined: they can. */
  readonly problem: string | undefined;
  /** Calls that were refused lately, in whatever namespace; undefined: none, as far as that is known. */
  readonly refusals: RefusalsStatus | undefined;
  /** undefined where there is no sample: then there are no numbers either. */
  readonly sample: SampleStatus | undefined;
  /** Nearest to exhaustion first. */
  readonly namespaces: readonly NamespaceRow[];
  /** The one that is shown in full: the one that was asked for, else the worst. */
  readonly shown: NamespaceStatus | undefined;
  /** The name that was asked for, where no sampled namespace has it. */
  readonly absent: string | undefined;
  /** The last hour of the one shown, or of the one asked for, though it may be gone. */
  readonly hour: { readonly netns: string; readonly timeline: Timeline } | undefined;
  /**
   * Namespaces that are not there any more and came near to exhaustion within the hour, or may have: those that were
   * measured first, each the nearest first.
   */
  readonly gone: readonly HourPeak[];
  /** undefined where nobody asked for any. They are of the exporter's own namespace, and there without a sample too. */
  readonly probes: ProbesStatus | undefined;
}

export interface SampleStatus {
  readonly ageMs: number;
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly source: SourceKind;
  readonly namespacesFound: number;
  readonly namespacesOmitted: number;
  readonly failures: readonly CollectorFailure[];
}

/** A namespace among all others. */
export interface NamespaceRow extends Led {
  readonly netns: string;
  readonly detail: NamespaceSnapshot['detail'];
  readonly ageMs: number;
  /** The highest of the last hour; undefined where the hour of this namespace is not remembered. */
  readonly hourPeak: HourPeak | undefined;
  /** TCP and UDP sockets read; undefined where not all of them were. */
  readonly sockets: number | undefined;
  /** How full its fullest accept queue is; undefined where that cannot be known. */
  readonly fullestQueue: number | undefined;
  /** When asked for a port the kernel said something else than was calculated. */
  readonly kernelDisagrees: boolean;
}

/** A namespace in full. */
export interface NamespaceStatus extends NamespaceRow {
  readonly regimes: readonly RegimeStatus[];
  readonly range: RangeSnapshot | undefined;
  readonly blocked: TcpSnapshot['blocked'] | undefined;
  /** Usable ports that may be blocked or not. */
  readonly uncertain: number;
  /** Ports that a destination nobody uses yet can have. */
  readonly capacity: number | undefined;
  /** undefined where TCP was not read whole. */
  readonly destinations: NamedDestinations | undefined;
  /** Fullest queue first. `total` counts those that the snapshot leaves out. */
  readonly listeners: { readonly total: number; readonly fullest: readonly DescribedListener[] };
  /** undefined where nothing is attributed. */
  readonly owners: { readonly total: number; readonly fullest: readonly OwnerShare[] } | undefined;
  /** undefined where the kernel was not asked. */
  readonly canary: CanaryStatus | undefined;
}

/** The moment to show, and what of it. */
export interface Asked {
  /** By monotonicMs(). */
  readonly nowMs: number;
  /** By bootTimeMs(), the clock of the history. */
  readonly bootMs: number;
  /** Name of the namespace to show in full; undefined for the worst. */
  readonly wanted?: string | undefined;
  readonly probes?: ProbesState | undefined;
  readonly refusals?: RefusalState | undefined;
  /** The same moment, since the epoch. */
  readonly epochMs?: number;
}

/** Whether a namespace of this name is in the last sample. */
export function isSampled(state: SamplingState, netns: string): boolean {
  return state.kind === 'sampled' && state.snapshot.namespaces.some((one) => one.netns === netns);
}

export function statusOf(
  state: SamplingState,
  history: History,
  { nowMs, bootMs, wanted, probes, refusals = NO_REFUSALS, epochMs = Date.now() }: Asked,
): Status {
  const { ready, reason } = readinessOf(state, nowMs);
  const sampled = state.kind === 'sampled' ? state : undefined;
  const snapshot = sampled?.snapshot;
  const ageMs = sampled === undefined ? 0 : ageOf(sampled, nowMs);
  const peaks = history.peaks(bootMs);
  const rows = (snapshot?.namespaces ?? [])
    .map((namespace) => ({ namespace, row: rowOf(namespace, ageMs + turnOf(namespace, snapshot), peaks) }))
    .toSorted((a, b) => urgencyOf(b.row) - urgencyOf(a.row));
  const shown = wanted === undefined ? rows[0] : rows.find(({ row }) => row.netns === wanted);
  // Without a sample, the own namespace's hour is what is left.
  const name = wanted ?? shown?.row.netns ?? peaks[0]?.netns;
  const timeline = name === undefined ? undefined : history.timeline(name, bootMs);
  return {
    problem: ready ? undefined : reason,
    refusals: refusalsOf(refusals, nowMs, epochMs),
    sample: snapshot && sampleStatus(snapshot, ageMs),
    namespaces: rows.map(({ row }) => row),
    shown: shown && namespaceStatus(shown.namespace, shown.row),
    absent: shown === undefined ? wanted : undefined,
    hour: name === undefined || timeline === undefined ? undefined : { netns: name, timeline },
    gone: snapshot === undefined ? [] : goneOf(peaks),
    probes: probes && probesOf(probes, nowMs),
  };
}

/** How old the sample of a namespace was when the round was complete. */
function turnOf({ sampledAtMs }: NamespaceSnapshot, round: Snapshot | undefined): number {
  return Math.max(0, (round?.completedAtMs ?? sampledAtMs) - sampledAtMs);
}

function sampleStatus(snapshot: Snapshot, ageMs: number): SampleStatus {
  const { intervalSeconds, durationSeconds, source } = snapshot;
  return {
    ageMs,
    intervalMs: intervalSeconds * 1000,
    durationMs: durationSeconds * 1000,
    source,
    namespacesFound: snapshot.namespacesFound,
    namespacesOmitted: snapshot.namespacesOmitted,
    failures: failuresOf(snapshot),
  };
}

function rowOf(namespace: NamespaceSnapshot, ageMs: number, peaks: readonly HourPeak[]): NamespaceRow {
  const { netns, detail, listeners } = namespace;
  const { tcp, udp, canary = [] } = fullResults(namespace);
  return {
    netns,
    detail,
    ageMs,
    worst: worstOf(regimesOf(namespace)),
    nat: natOf(namespace),
    hourPeak: peaks.find((peak) => peak.netns === netns),
    sockets: tcp && udp && tcp.sampledSockets + udp.sampledSockets,
    fullestQueue: listeners
      .map(queueRatioOf)
      .reduce((fullest, ratio) => (ratio === undefined ? fullest : Math.max(fullest ?? 0, ratio)), undefined),
    kernelDisagrees: canary.some(({ disagrees }) => disagrees),
  };
}

function namespaceStatus(namespace: NamespaceSnapshot, row: NamespaceRow): NamespaceStatus {
  const { tcp, owners = {}, canary = [] } = fullResults(namespace);
  const listenersOfBoth = (['tcp', 'udp'] as const).map((protocol) => listenersTable(namespace, protocol));
  return {
    ...row,
    regimes: regimesOf(namespace),
    range: namespace.results.range,
    blocked: tcp?.blocked,
    uncertain: tcp?.uncertain ?? 0,
    capacity: tcp?.capacityAtLeast,
    destinations: tcp?.destinations,
    listeners: {
      total: listenersOfBoth.reduce((sum, table) => sum + (table?.total ?? 0), 0),
      fullest: listenersOf(namespace.listeners),
    },
    owners: ownersOf(owners),
    canary: canaryOf(canary),
  };
}

function goneOf(peaks: readonly HourPeak[]): HourPeak[] {
  return peaks
    .filter(({ ratio, isPresent }) => !isPresent && levelOf(ratio) !== 'ok')
    .toSorted((a, b) => Number(a.isEstimated) - Number(b.isEstimated) || b.ratio - a.ratio);
}
