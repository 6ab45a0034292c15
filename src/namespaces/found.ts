/** A network namespace that something on this machine keeps alive. */
export interface FoundNamespace {
  /** Inode number of its nsfs file: no other living namespace has it (namespaces(7)). */
  readonly inode: number;
  /** A file to enter it by: `/proc/<pid>/ns/net` or `/run/netns/<name>`. */
  readonly path: string;
  /** The lowest process in it; undefined where only a name keeps it. */
  readonly pid: number | undefined;
  /** The name that `ip netns` has for it. */
  readonly name: string | undefined;
}
