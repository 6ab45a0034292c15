import type { Descriptors } from './descriptors.ts';

/** A search through the processes of one cgroup, which may be interrupted between any two descriptors. */
export interface CgroupSearch {
  waiting: Set<number>;
  /** What this passage through `pids` is for; empty between two. */
  sought: Set<number>;
  pids: readonly number[];
  next: number;
  descriptors: Descriptors | undefined;
  /** The first whose descriptors were denied. */
  refusedPid: number | undefined;
}

export function newSearch(): CgroupSearch {
  return {
    waiting: new Set(),
    sought: new Set(),
    pids: [],
    next: 0,
    descriptors: undefined,
    refusedPid: undefined,
  };
}
