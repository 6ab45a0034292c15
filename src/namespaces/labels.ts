import { printable } from '../base/printable.ts';
import { identifyProcess, type ProcessIdentity, UNKNOWN_IDENTITY } from '../owners/processIdentity.ts';
import type { FoundNamespace } from './found.ts';

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

  constructor(procfs: string) {
    this.#procfs = procfs;
  }

  /** `host`, an `ip netns` name, else pod or container, else `net:[inode]`. */
  identify(found: FoundNamespace, isHost = found.pid === 1): NamespaceIdentity {
    const known = this.#byInode.get(found.inode);
    if (known !== undefined) return this.#remember({ ...this.#processOf(found), ...nameOf(known) });
    const identity = this.#processOf(found);
    const link = `net:[${found.inode}]`;
    const name = printable(found.name ?? '', NAME_LIMIT);
    const wanted = isHost ? HOST : name || identity.podUid || identity.container || link;
    // A program in a container may have made itself another namespace.
    const isTaken = this.#taken.has(wanted) || (wanted === HOST && !isHost);
    return this.#remember({ ...identity, netns: isTaken ? `${wanted}/${link}` : wanted, inode: found.inode });
  }

  #processOf({ pid }: FoundNamespace): ProcessIdentity {
    return pid === undefined ? UNKNOWN_IDENTITY : identifyProcess(this.#procfs, pid);
  }

  #remember(identity: NamespaceIdentity): NamespaceIdentity {
    this.#taken.add(identity.netns);
    this.#byInode.set(identity.inode, identity);
    return identity;
  }

  /** The namespace is gone: another may get its inode number. */
  forget(inode: number): void {
    const known = this.#byInode.get(inode);
    if (known === undefined) return;
    this.#byInode.delete(inode);
    this.#taken.delete(known.netns);
  }
}

/** Its processes come and go, its name stays. */
function nameOf({ netns, inode }: NamespaceIdentity): Pick<NamespaceIdentity, 'netns' | 'inode'> {
  return { netns, inode };
}
