import { discoverNamespaces } from '../namespaces/discover.ts';
import type { FoundNamespace } from '../namespaces/found.ts';
import type { NamespaceIdentity, NamespaceLabels } from '../namespaces/labels.ts';
import { ForeignNamespace } from './foreignNamespace.ts';

/** Which other namespaces there are now. */
export class NamespaceRegistry {
  readonly #procfs: string;
  readonly #netnsDirectory: string;
  readonly #labels: NamespaceLabels;
  readonly #own: NamespaceIdentity;
  readonly #wanted: RegExp | undefined;
  readonly #members = new Map<number, ForeignNamespace>();
  /** Inodes of those seen once. */
  readonly #new = new Set<number>();

  /** @param options.wanted which names to sample; undefined for all */
  constructor(options: {
    readonly procfs: string;
    readonly netnsDirectory: string;
    readonly labels: NamespaceLabels;
    readonly own: NamespaceIdentity;
    readonly wanted: RegExp | undefined;
  }) {
    this.#procfs = options.procfs;
    this.#netnsDirectory = options.netnsDirectory;
    this.#labels = options.labels;
    this.#own = options.own;
    this.#wanted = options.wanted;
  }

  /** All there are, wanted or not. */
  get size(): number {
    return this.#members.size;
  }

  has(inode: number): boolean {
    return this.#members.has(inode);
  }

  /**
   * What it is called, by its link in /proc where it is not known; undefined for one that is not wanted.
   *
   * @param isAnother than the one that is known with this inode number
   */
  netnsOf(inode: number, isAnother: boolean): string | undefined {
    const known = isAnother ? undefined : this.#members.get(inode);
    const name = known?.identity.netns ?? `net:[${inode}]`;
    return (this.#wanted?.test(name) ?? true) ? name : undefined;
  }

  /** The wanted ones. */
  get members(): ForeignNamespace[] {
    return [...this.#members.values()].filter(({ identity }) => this.#wanted?.test(identity.netns) ?? true);
  }

  /**
   * Looks again. Those that are gone are closed: nothing but the exporter kept them alive. Throws an ExporterError where that
   * was not possible to the end.
   *
   * @param isSame whether the kernel says that a namespace with the inode number of this one is this one
   * @returns why some may be missing, a line each
   */
  refresh(isSame: (member: ForeignNamespace) => boolean = () => false): readonly string[] {
    const { found, obstacles, unread } = discoverNamespaces(this.#procfs, this.#netnsDirectory);
    const present = new Set(found.map(({ inode }) => inode));
    const kept = new Set<number>();
    for (const [inode, member] of this.#members) {
      // It may well be where it was: it stays as it is.
      if (
        unread.has(member.found.path) ||
        (member.found.name !== undefined && unread.has(this.#netnsDirectory))
      )
        kept.add(inode);
      else if (!present.has(inode)) this.#drop(member);
    }
    const others = found.filter(({ inode }) => inode !== this.#own.inode && !kept.has(inode));
    for (const namespace of this.#labels.inOrder(others)) this.#see(namespace, isSame);
    return obstacles;
  }

  /** It turned out to be no network namespace, which only entering tells. The next may have its inode number and its name. */
  dismiss(member: ForeignNamespace): void {
    this.#drop(member);
  }

  close(): void {
    for (const member of this.#members.values()) member.closeSource();
    this.#members.clear();
  }

  #see(namespace: FoundNamespace, isSame: (member: ForeignNamespace) => boolean): void {
    const known = this.#members.get(namespace.inode);
    if (known === undefined) {
      this.#members.set(namespace.inode, new ForeignNamespace(namespace, this.#labels.identify(namespace)));
      this.#new.add(namespace.inode);
      return;
    }
    const { pid, name } = known.found;
    const hasChanged = namespace.pid !== pid || namespace.name !== name;
    const isKept = known.kernelId === undefined ? known.opened !== undefined : isSame(known);
    if (hasChanged && !isKept) {
      // Nothing of ours kept it alive: this may be another one, with its inode number.
      this.#drop(known);
      this.#see(namespace, isSame);
      return;
    }
    // At the first look its process may not have been what it was about to become.
    if (hasChanged || this.#new.has(namespace.inode)) known.identity = this.#labels.identify(namespace);
    this.#new.delete(namespace.inode);
    known.found = namespace;
  }

  #drop(member: ForeignNamespace): void {
    member.closeSource();
    this.#members.delete(member.identity.inode);
    this.#new.delete(member.identity.inode);
    this.#labels.forget(member.identity.inode);
  }
}
