import type { HeldPorts } from '../aggregate/destinationHolders.ts';

/** Who holds usable ports, as exported. */
export interface Owner {
  /** A systemd unit, a container, a pod or a cgroup path; `unattributed` for sockets without a cgroup. */
  readonly owner: string;
  /** Distinct usable ports its sockets hold. */
  readonly ports: number;
}

/** The owners of one protocol's ports. */
export interface OwnersSnapshot {
  readonly total: number;
  readonly fullest: readonly Owner[];
}

/** TIME_WAIT sockets and others without a cgroup, and cgroups that are gone. */
export const UNATTRIBUTED = 'unattributed';

/** Who holds ports of one destination. */
export interface DestinationOwner extends Readonly<HeldPorts> {
  /** undefined where the source does not tell whose a socket is. */
  readonly owner: string | undefined;
  /** All of them. */
  readonly ports: number;
}

/** Who holds the ports of one destination, and when TIME_WAIT gives some back. */
export interface NamedHolders {
  /** Most ports first. */
  readonly owners: readonly DestinationOwner[];
  readonly timeWaitLeftMs: readonly number[];
  /** Inodes of its sockets that a process may hold, by their cgroup. */
  readonly inodes: ReadonlyMap<number, readonly number[]>;
}
