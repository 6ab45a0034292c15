import type { FoundNamespace } from '../namespaces/found.ts';
import type { NamespaceIdentity, NamespaceLabels } from '../namespaces/labels.ts';
import type { OwnNamespace } from '../namespaces/ownNamespace.ts';

/** The namespace of the calling thread: what it is called, and a file to enter it by. */
export interface OwnIdentity {
  readonly own: NamespaceIdentity;
  /** undefined for the host's, and where nothing but this process keeps it. */
  readonly path: string | undefined;
}

/**
 * To be asked before any other namespace gets a name.
 *
 * @param found all namespaces there are, which may leave it out
 */
export function identifyOwn(
  labels: NamespaceLabels,
  found: readonly FoundNamespace[],
  { inode, name }: OwnNamespace,
): OwnIdentity {
  const ownFound = found.find((namespace) => namespace.inode === inode);
  const fallback = { inode, path: '', pid: process.pid, name: undefined };
  const own = labels.identify(ownFound ?? fallback, name === 'host');
  // The path of this process ends with it.
  const isLasting = ownFound?.name !== undefined || ownFound?.pid !== process.pid;
  return { own, path: name === 'host' || !isLasting ? undefined : ownFound?.path };
}
