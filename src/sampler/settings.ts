import type { Limits } from '../aggregate/limits.ts';
import type { SourceKind } from '../sockets/source.ts';

/** What the sampling thread is started with: plain data. */
export interface SamplerSettings {
  /** From the start of one sample to that of the next, unless the cost guard stretches it. */
  readonly intervalMs: number;
  /** Share of one core that sampling may take, above 0 and at most 1. */
  readonly maxDuty: number;
  readonly source: SourceKind | 'auto';
  readonly limits: Limits;
  readonly peakWindowMs: number;
  /** Where proc and sysfs are mounted. */
  readonly procfs: string;
  readonly sysfs: string;
  /** Milliseconds a sample may look for the processes of listeners; 0 for not at all. */
  readonly processBudgetMs: number;
}
