import { printable } from '../base/printable.ts';
import { identifyProcess, type ProcessIdentity, UNKNOWN_IDENTITY } from '../owners/processIdentity.ts';
import type { FoundNamespace } from './found.ts';
import { oldestFirst } from './oldest.ts';

/** What a namespace is called, and what to join it with. */
export interface NamespaceIdentity extends ProcessIdentity {
  /** Unique, and the same as long as the namespace lives. */
  readonly netns: string;
  readonly inode: number;
}

/** The namespace of PID 1, and no other: not one that `ip netns` calls so. */
const HOST = 'host';
const NAME_LIMIT = 128;

/** Gives every namespace its name when it is first seen. */
export class NamespaceLabels {
  readonly #procfs: string;
  readonly #byInode = new Map<number, NamespaceIdentity>();
  readonly #taken = new Set<string>();
  /** Pods and containers → how many namespaces are of each. */
  readonly #claims = new Map<string, number>();

  constructor(procfs: string) {
    this.#procfs = procfs;
  }

  /**
   * In the order in which to identify them. A program in a pod may have made itself other namespaces, which are of that pod
   * as well: the first to be identified gets its name, and that is the one of the oldest process. A pod begins with its own.
   * Throws an ExporterError where descriptors or memory are short.
   */
  inOrder(found: readonly FoundNamespace[]): FoundNamespace[] {
    const claimants = new Map<string, FoundNamespace[]>();
    for (const namespace of found) {
      if (this.#byInode.has(namespace.inode)) continue;
      const claim = claimOf(this.#processOf(namespace));
      if (claim === '') continue;
      const others = claimants.get(claim);
      if (others === undefined) claimants.set(claim, [namespace]);
      else others.push(namespace);
    }
    const contested = new Set([...claimants.values()].filter(({ length }) => length > 1).flat());
    if (contested.size === 0) return [...found];
    const others = found.filter((namespace) => !contested.has(namespace));
    return [...others, ...oldestFirst(this.#procfs, [...contested])];
  }

  /**
   * `host`, an `ip netns` name, else pod or container, else `net:[inode]`. Throws an ExporterError where descriptors or memory
   * are short.
   */
  identify(found: FoundNamespace, isHost = found.pid === 1): NamespaceIdentity {
    const known = this.#byInode.get(found.inode);
    if (known !== undefined) return this.#remember({ ...this.#processOf(found), ...nameOf(known) });
    const identity = this.#processOf(found);
    const link = `net:[${found.inode}]`;
    const name = printable(found.name ?? '', NAME_LIMIT);
    const claim = claimOf(identity);
    const wanted = isHost ? HOST : name || claim || link;
    const isTaken =
      this.#taken.has(wanted) ||
      (wanted === HOST && !isHost) ||
      // An older one of the pod may have another name: of `ip netns`, or because it was seen before its process was put into its cgroup.
      (wanted === claim && this.#claims.has(claim));
    return this.#remember({ ...identity, netns: isTaken ? `${wanted}/${link}` : wanted, inode: found.inode });
  }

  #processOf({ pid }: FoundNamespace): ProcessIdentity {
    return pid === undefined ? UNKNOWN_IDENTITY : identifyProcess(this.#procfs, pid);
  }

  #remember(identity: NamespaceIdentity): NamespaceIdentity {
    this.forget(identity.inode);
    this.#taken.add(identity.netns);
    this.#byInode.set(identity.inode, identity);
    this.#count(claimOf(identity), 1);
    return identity;
  }

  #count(claim: string, change: 1 | -1): void {
    if (claim === '') return;
    const count = (this.#claims.get(claim) ?? 0) + change;
    if (count > 0) this.#claims.set(claim, count);
    else this.#claims.delete(claim);
  }

  /** The namespace is gone: another may get its inode number. */
  forget(inode: number): void {
    const known = this.#byInode.get(inode);
    if (known === undefined) return;
    this.#byInode.delete(inode);
    this.#taken.delete(known.netns);
    this.#count(claimOf(known), -1);
  }
}

/** What its process would have it called; '' where that tells nothing. */
function claimOf({ podUid, container }: ProcessIdentity): string {
  return podUid || container;
}

/** Its processes come and go, its name stays. */
function nameOf({ netns, inode }: NamespaceIdentity): Pick<NamespaceIdentity, 'netns' | 'inode'> {
  return { netns, inode };
}
