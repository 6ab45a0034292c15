import type { Limits } from '../aggregate/limits.ts';
import type { SnatPorts } from '../aggregate/snatPorts.ts';
import type { SourceKind } from '../sockets/source.ts';

/** What the sampler is started with: plain data. */
export interface SamplingOptions {
  /** From the start of one sample to that of the next, unless the cost guard stretches it. */
  readonly intervalMs: number;
  /** Share of one core's time that sampling may take, above 0 and at most 1. */
  readonly maxDuty: number;
  readonly source: SourceKind | 'auto';
  readonly limits: Limits;
  /** Which ports SNAT is assumed to choose from, where it is not those of a rule without a range. */
  readonly snatPorts: readonly SnatPorts[];
  readonly peakWindowMs: number;
  /** Where proc and sysfs are mounted. */
  readonly procfs: string;
  readonly sysfs: string;
  /** Which network namespaces are sampled: the own one, all, or those with a matching name, and the own one. */
  readonly namespaces: 'self' | 'all' | RegExp;
  /** Namespaces sampled at most, those with most sockets first. */
  readonly namespacesLimit: number;
  /** Another namespace than the own is read whole only where it can have used up more than this share of its ports. */
  readonly fullDumpAbove: number;
  /** Whole dumps of other namespaces are limited to what `maxDuty` leaves; else each that is due is made in every round. */
  readonly hasBudget: boolean;
  /** Milliseconds a sample may look for the processes of listeners; 0 for not at all. */
  readonly processBudgetMs: number;
  /** Whether it is counted who holds the ports of the fullest destinations, for the status page. */
  readonly destinationOwners: boolean;
  /** Whether connections are kept until the next sample, to be looked at again. */
  readonly keepsConnections: boolean;
  /** Whether the kernel is asked for a port at every sample. */
  readonly canary: boolean;
  /** Whether the kernel counts the calls that it refuses for want of a port, where BPF is read from too. */
  readonly countsRefusals: boolean;
  /** Where to record what the kernel says to the first sample; undefined for nowhere. */
  readonly recordFile: string | undefined;
}
