import { endpoint } from '../base/endpoint.ts';
import type { ProbesState } from '../probes/openProbes.ts';
import type { ProbeOutcome } from '../probes/probe.ts';
import type { Probed } from '../probes/prober.ts';

/** What came of connecting to others. */
export interface ProbesStatus {
  /** Targets that failed first, and among them those that this machine had no port for. */
  readonly rows: readonly ProbeRow[];
  /** How many of the rows failed. */
  readonly failing: number;
  /** Targets that were not probed yet. */
  readonly waiting: number;
  /** The file of targets changed and is bad; the one before it is in force. */
  readonly fileIsBad: boolean;
}

export interface ProbeRow extends Omit<ProbeOutcome, 'attempts'> {
  /** What the operator calls it. */
  readonly target: string;
  /** `db.example.org:5432` */
  readonly endpoint: string;
  /** The one that answered, or that the failure is of; undefined where none was tried. */
  readonly address: string | undefined;
  /** Since the probe ended. */
  readonly ageMs: number;
}

/** undefined where nobody asked for any. */
export function probesOf({ results, fileIsGood }: ProbesState, nowMs: number): ProbesStatus | undefined {
  const fileIsBad = fileIsGood === false;
  if (results.targets === 0 && !fileIsBad) return undefined;
  const rows = results.probed
    .map((probed) => rowOf(probed, nowMs))
    .toSorted((a, b) => urgency(b) - urgency(a));
  return {
    rows,
    failing: rows.filter(({ failure }) => failure !== undefined).length,
    waiting: results.targets - rows.length,
    fileIsBad,
  };
}

function rowOf({ target, outcome: { attempts, ...outcome }, endedAtMs }: Probed, nowMs: number): ProbeRow {
  const reason = outcome.failure?.reason;
  const told = attempts.findLast((attempt) => attempt.connected || attempt.reason === reason);
  return {
    ...outcome,
    target: target.name,
    endpoint: endpoint(target.host, target.port),
    address: told?.address,
    ageMs: Math.max(0, nowMs - endedAtMs),
  };
}

function urgency({ failure }: ProbeRow): number {
  if (failure === undefined) return 0;
  return failure.reason === 'no_local_port' ? 2 : 1;
}
