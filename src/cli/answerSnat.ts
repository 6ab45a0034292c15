import { CLOSE_LOOK } from '../aggregate/snat.ts';
import type { SnatExplained } from '../aggregate/snatHolders.ts';
import { AssumedPorts, portCount, type SnatPorts } from '../aggregate/snatPorts.ts';
import { endpoint } from '../base/endpoint.ts';
import { ExporterError, errorLine } from '../base/errors.ts';
import type { Report } from '../reports/report.ts';
import type { OtherSnat } from '../reports/snatAnswered.ts';
import { snatReport } from '../reports/snatReport.ts';
import { explainSnat, snatTowards, worstFirst, worstSnat } from '../sampling/askSnat.ts';
import { type TrackedNamespace, TrackedNamespaces } from '../sampling/trackedNamespaces.ts';
import type { TrackedCounts } from '../snapshot/trackedCounts.ts';
import { ALL, enterNetns } from './netns.ts';
import type { Endpoint } from './values.ts';

export interface SnatRequest {
  readonly wanted: Endpoint | undefined;
  /** Of one namespace its name, or a process in it. */
  readonly netns: string | undefined;
  readonly isAll: boolean;
  readonly snatPorts: readonly SnatPorts[];
  readonly procfs: string;
}

/** Throws an ExporterError where the kernel could not be asked. */
export function answerSnat(request: SnatRequest): Report {
  const { netns, isAll, procfs } = request;
  const entered = netns === undefined ? undefined : enterNetns(netns, procfs)?.path;
  const namespaces = new TrackedNamespaces(procfs);
  try {
    const { own, others } = namespaces;
    if (!isAll) return answered(request, [lookAt(own, request)], entered);
    if (typeof others === 'string') throw new ExporterError(others);
    return answered(
      request,
      [own, ...others].map((one) => lookAt(one, request)),
      undefined,
    );
  } finally {
    namespaces.close();
  }
}

/** What was found in a namespace; a text: why it could not be read. */
interface Looked {
  readonly namespace: TrackedNamespace;
  readonly counts: TrackedCounts | undefined;
  readonly rows: readonly OtherSnat[];
  /** Of the first row; undefined where it takes another walk. */
  readonly explained: SnatExplained | undefined;
  readonly total: number;
  readonly hasNat: boolean;
  readonly error: string | undefined;
}

const NOTHING = {
  counts: undefined,
  rows: [],
  explained: undefined,
  total: 0,
  hasNat: false,
  error: undefined,
};

function lookAt(namespace: TrackedNamespace, request: SnatRequest): Looked {
  const nothing: Looked = { namespace, ...NOTHING };
  try {
    const counts = namespace.look();
    if (counts === undefined || counts.entries === 0) return { ...nothing, counts };
    return { ...nothing, counts, ...found(namespace, request) };
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    return { ...nothing, error: errorLine(error) };
  }
}

function found(
  namespace: TrackedNamespace,
  { wanted, snatPorts }: SnatRequest,
): Pick<Looked, 'rows' | 'explained' | 'total' | 'hasNat'> {
  const assumed = new AssumedPorts(snatPorts);
  const { netns } = namespace;
  if (wanted === undefined) {
    const { destinations, total } = worstSnat(namespace, assumed);
    const rows = destinations.map(({ used: _, clients: __, ...one }) => ({ netns, ...one }));
    return { rows, explained: undefined, total, hasNat: total > 0 };
  }
  const { keys, total, hasNat } = snatTowards(namespace, { destination: wanted }, assumed);
  const rows = keys.map(
    ({ explained: { protocol, natAddress, remoteAddress, remotePort, zone, ...one } }) => ({
      ...{ netns, protocol, natAddress, remoteAddress, remotePort, zone },
      ...{ available: one.available, ratio: one.ratio, refusalRatio: one.refusalRatio },
    }),
  );
  return { rows, explained: keys[0]?.explained, total, hasNat };
}

function answered(request: SnatRequest, all: readonly Looked[], entered: string | undefined): Report {
  const { wanted, isAll, netns, snatPorts } = request;
  const assumed = new AssumedPorts(snatPorts);
  const errors = all.flatMap(({ error }) => (error === undefined ? [] : [error]));
  // Where nothing could be read there is no answer.
  if (errors[0] !== undefined && all.every(({ counts, error }) => error !== undefined || !counts?.entries))
    throw new ExporterError(errors[0]);
  const rows = all.flatMap((looked) => looked.rows).toSorted(worstFirst);
  const [worst] = rows;
  const its = all.find((looked) => worst !== undefined && looked.rows.includes(worst));
  const explained = its?.explained ?? (its && worst && explainSnat(its.namespace, [worst], assumed)[0]);
  const sum = (count: (looked: Looked) => number) => all.reduce((total, one) => total + count(one), 0);
  const counts = its?.counts ?? (all.length === 1 ? all[0]?.counts : undefined);
  return snatReport({
    netns: its?.namespace.netns ?? (isAll ? ALL : (all[0]?.namespace.netns ?? '')),
    isAll,
    isNetnsNamed: netns !== undefined,
    netnsPath: its?.namespace.path ?? entered,
    wanted: wanted && endpoint(wanted.address, wanted.port),
    tracked: {
      entries: counts?.entries ?? sum((looked) => looked.counts?.entries ?? 0),
      limit: counts?.limit,
      insertFailed: counts?.insertFailed,
      timeWaitSeconds: counts?.timeWaitSeconds,
    },
    addresses: new Set(its?.namespace.addresses()),
    explained,
    hasNat: all.some((looked) => looked.hasNat),
    others: rows.slice(1),
    otherCount: Math.max(0, sum((looked) => looked.total) - 1),
    rangePorts: portCount(assumed.everyOther),
    exportedFrom: Math.ceil(CLOSE_LOOK * assumed.fewest),
    notRead: errors,
  });
}
