/** What is known of tracked connections without walking them. */
export interface TrackedCounts {
  readonly entries: number;
  /** undefined where there is none. */
  readonly limit: number | undefined;
  /** Packets that found no port, or lost a race, since the namespace began; 32 bits of each CPU. undefined where not shown. */
  readonly insertFailed: number | undefined;
  /** net.netfilter.nf_conntrack_tcp_timeout_time_wait in seconds; undefined where it is not shown. */
  readonly timeWaitSeconds: number | undefined;
}
