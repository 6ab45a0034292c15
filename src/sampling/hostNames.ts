import { ExporterError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { discoverNamespaces, netnsDirectoryOf } from '../namespaces/discover.ts';
import { NamespaceLabels } from '../namespaces/labels.ts';
import { ownNamespace } from '../namespaces/ownNamespace.ts';
import { NamespaceRegistry } from './namespaceRegistry.ts';
import { OwnerResolver } from './ownerResolver.ts';
import { identifyOwn } from './ownIdentity.ts';
import type { RefusalNames } from './refusalReports.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** How long what is known of a namespace is believed: its inode number may be another's by then. */
const STALE_MS = 10_000;
/** Looking takes no more than this share of the time. */
const DUTY = 0.1;
const LEAST_PAUSE_MS = 100;

/**
 * Names for what the kernel tells by numbers, where nothing is sampled: the namespaces of the host are looked at when one
 * shows up that nobody knows, and cgroups likewise.
 */
export class HostNames implements RefusalNames {
  /** What the namespace of the calling thread is called. */
  readonly own: string;
  readonly #ownInode: number;
  readonly #registry: NamespaceRegistry;
  readonly #owners: OwnerResolver;
  readonly #only: number | undefined;
  readonly #now: () => number;
  readonly #namespaceLooks: Looks;
  readonly #ownerLooks: Looks;

  /**
   * Throws an ExporterError where /proc does not tell.
   *
   * @param only the inode number of the one namespace that has a name; undefined for all
   */
  constructor(
    { procfs, sysfs }: Pick<SamplingOptions, 'procfs' | 'sysfs'>,
    only?: number,
    now: () => number = () => performance.now(),
  ) {
    const labels = new NamespaceLabels(procfs);
    const netnsDirectory = netnsDirectoryOf(procfs);
    const { found } = discoverNamespaces(procfs, netnsDirectory);
    const { own } = identifyOwn(labels, found, ownNamespace(procfs));
    this.own = own.netns;
    this.#ownInode = own.inode;
    this.#registry = new NamespaceRegistry({ procfs, netnsDirectory, labels, own, wanted: undefined });
    this.#owners = new OwnerResolver({ procfs, sysfs, processBudgetMs: 0 }, silentLogger);
    this.#only = only;
    this.#now = now;
    this.#namespaceLooks = new Looks(now);
    this.#ownerLooks = new Looks(now);
    this.#look();
  }

  netnsOf(inode: number): string | undefined {
    if (this.#only !== undefined && inode !== this.#only) return undefined;
    if (inode === this.#ownInode) return this.own;
    const age = this.#now() - this.#namespaceLooks.lastMs;
    if ((!this.#registry.has(inode) || age > STALE_MS) && this.#namespaceLooks.isDue) this.#look();
    return this.#registry.netnsOf(inode, false);
  }

  readonly ownerOf = (cgroupId: number): string | undefined => {
    if (this.#ownerLooks.isDue) this.#owners.beginRound();
    return this.#ownerLooks.take(() => this.#owners.ownerOf(cgroupId));
  };

  close(): void {
    this.#registry.close();
    this.#owners.close();
  }

  #look(): void {
    this.#namespaceLooks.take(() => {
      try {
        this.#registry.refresh();
      } catch (error) {
        // Descriptors or memory are short: the number has to do for a name.
        if (!(error instanceof ExporterError)) throw error;
      }
    });
  }
}

/** Keeps what is looked for again and again from taking all the time. */
class Looks {
  readonly #now: () => number;
  #nextMs = Number.NEGATIVE_INFINITY;
  lastMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  get isDue(): boolean {
    return this.#now() >= this.#nextMs;
  }

  take<T>(look: () => T): T {
    const startMs = this.#now();
    const found = look();
    this.lastMs = this.#now();
    const tookMs = this.lastMs - startMs;
    // What was known took no time, and puts nothing off.
    if (this.isDue || tookMs > 1)
      this.#nextMs = this.lastMs + Math.max(LEAST_PAUSE_MS, (tookMs * (1 - DUTY)) / DUTY);
    return found;
  }
}
