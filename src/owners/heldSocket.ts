/** A socket, by its inode number, that a process has open. */
export interface HeldSocket {
  readonly inode: number;
  readonly pid: number;
  readonly descriptor: number;
}

/**
 * Every process that holds one of these sockets, with each descriptor, as far as that is known: of a socket that is not told some
 * process may hold it all the same. Throws an ExporterError. `isOver` is asked now and then whether that has taken long enough.
 */
export type HoldersOf = (inodes: ReadonlySet<number>, isOver: () => boolean) => readonly HeldSocket[];

/** Of the sockets of one cgroup; undefined: of one that is not known. */
export interface SocketsOfCgroup {
  readonly cgroupPath: string | undefined;
  readonly inodes: readonly number[];
}

/**
 * The likeliest holder of each socket, where anybody holds it: the first of its cgroup's candidates, else the one with the lowest
 * pid. Throws an ExporterError.
 *
 * @param candidatesOf pids of a cgroup, likeliest first; asked only where it makes a difference
 */
export function askForHolders(
  holdersOf: (inodes: ReadonlySet<number>) => readonly HeldSocket[],
  cgroups: readonly SocketsOfCgroup[],
  candidatesOf: (cgroupPath: string | undefined) => readonly number[],
): (HeldSocket & Pick<SocketsOfCgroup, 'cgroupPath'>)[] {
  const held = heldByInode(holdersOf(new Set(cgroups.flatMap(({ inodes }) => inodes))));
  return cgroups.flatMap(({ cgroupPath, inodes }) => {
    const holders = inodes.flatMap((inode) => {
      const all = held.get(inode);
      return all === undefined ? [] : [all];
    });
    const isUnclear = holders.some((all) => all.some(({ pid }) => pid !== all[0]?.pid));
    const candidates = isUnclear ? candidatesOf(cgroupPath) : [];
    const turns = new Map(candidates.map((pid, turn) => [pid, turn]));
    const turnOf = ({ pid }: HeldSocket) => turns.get(pid) ?? candidates.length + pid;
    return holders.flatMap((all) =>
      all
        .toSorted((a, b) => turnOf(a) - turnOf(b))
        .slice(0, 1)
        .map((likeliest) => ({ ...likeliest, cgroupPath })),
    );
  });
}

function heldByInode(held: readonly HeldSocket[]): ReadonlyMap<number, readonly HeldSocket[]> {
  const byInode = new Map<number, HeldSocket[]>();
  for (const one of held) {
    const others = byInode.get(one.inode);
    if (others === undefined) byInode.set(one.inode, [one]);
    else others.push(one);
  }
  return byInode;
}
