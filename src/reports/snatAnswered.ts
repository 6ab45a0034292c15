import type { SnatDestination } from '../aggregate/snat.ts';
import type { SnatExplained } from '../aggregate/snatHolders.ts';
import type { SnatKey } from '../aggregate/snatKeys.ts';
import type { TrackedCounts } from '../snapshot/trackedCounts.ts';

/** Another destination, NAT address or protocol than the one that is explained. */
export interface OtherSnat extends SnatKey, Pick<SnatDestination, 'available' | 'ratio' | 'refusalRatio'> {
  readonly netns: string;
}

/** What is known of ports behind a NAT. */
export interface SnatAnswered {
  /** The one that is explained; else the one that was asked, or `all`. */
  readonly netns: string;
  readonly isAll: boolean;
  /** The namespace was asked for by `--netns`. */
  readonly isNetnsNamed: boolean;
  /** A file to enter the namespace by, where commands must be told; undefined where the shell is in it. */
  readonly netnsPath: string | undefined;
  /** The destination that was asked for, as people write it. */
  readonly wanted: string | undefined;
  /** Of the namespace; of several the sum of entries. */
  readonly tracked: TrackedCounts;
  /** The namespace's own addresses. */
  readonly addresses: ReadonlySet<string>;
  readonly explained: SnatExplained | undefined;
  /** Whether some connection is translated, whichever its destination. */
  readonly hasNat: boolean;
  /** Those that drop most packets first. */
  readonly others: readonly OtherSnat[];
  /** Of other destinations, NAT addresses and protocols there are. */
  readonly otherCount: number;
  /** Ports of the range of an address without one of its own. */
  readonly rangePorts: number;
  /** So many entries take the exporter to have a metric of it. */
  readonly exportedFrom: number;
  /** Namespaces that could not be read, and why: a line each. */
  readonly notRead: readonly string[];
}
