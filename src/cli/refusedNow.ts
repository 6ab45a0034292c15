import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../kernel/clock.ts';
import type { Refused } from '../reports/refusedCalls.ts';
import type { RefusalReports } from '../sampling/refusalReports.ts';
import type { RefusalReport } from '../snapshot/refusals.ts';
import { RefusalTally } from '../status/refusalTally.ts';
import type { Asked } from './query.ts';

/** Programs that are refused try again sooner. */
const COUNTED_MS = 1000;

/** Refused calls of a namespace, counted from now on; undefined where that is not possible. */
export function countRefused(asked: Asked, netns: string): { counted(): Promise<Refused> } | undefined {
  const reports = asked.countRefusals(netns);
  if (reports === undefined) return undefined;
  const startedAtMs = monotonicMs();
  const tally = new RefusalTally();
  const counted = taken(reports, tally)?.counted ?? [];
  if (counted.length === 0) {
    reports.close();
    return undefined;
  }
  return {
    /** What was refused, as soon as it was counted long enough. Ends the counting. */
    async counted() {
      await sleep(Math.max(0, COUNTED_MS - (monotonicMs() - startedAtMs)));
      taken(reports, tally);
      reports.close();
      return { durationMs: monotonicMs() - startedAtMs, counted, tally };
    },
  };
}

function taken(reports: RefusalReports, tally: RefusalTally): RefusalReport | undefined {
  const report = reports.next();
  if (report !== undefined) tally.take(report, monotonicMs());
  return report;
}
