import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, failureText } from '../base/errors.ts';
import { isAbsent, isRefused } from '../base/ifReadable.ts';
import { printable } from '../base/printable.ts';
import { whyDenied } from '../kernel/capabilities.ts';
import { discoverNamespaces, netnsDirectoryOf, parseNamespaceLink } from './discover.ts';
import type { FoundNamespace } from './found.ts';
import { NamespaceLabels } from './labels.ts';
import { type OwnNamespace, ownNamespace } from './ownNamespace.ts';

/**
 * The network namespace that the label `netns` names so, else that of the process with this number; undefined where it is
 * the own one. Throws an ExporterError of one line, with the names there are, where there is none.
 */
export function namespaceByName(procfs: string, wanted: string): FoundNamespace | undefined {
  const own = ownNamespace(procfs);
  const { found, obstacles } = discoverNamespaces(procfs, netnsDirectoryOf(procfs));
  const named = namesOf(procfs, found, own);
  const inode = parseNamespaceLink(/net:\[\d+\]$/.exec(wanted)?.[0] ?? '');
  const byName =
    named.find(({ netns }) => netns === wanted) ?? named.find(({ namespace }) => namespace.inode === inode);
  const chosen = byName?.namespace ?? ofProcess(procfs, wanted);
  if (chosen !== undefined) return chosen.inode === own.inode ? undefined : chosen;
  const hidden = obstacles.length === 0 ? '' : `; others may be hidden: ${obstacles.join('; ')}`;
  throw new ExporterError(
    `no network namespace or process ${JSON.stringify(wanted)}; found ${listed(named.map(({ netns }) => netns))}${hidden}`,
  );
}

interface Named {
  readonly netns: string;
  readonly namespace: FoundNamespace;
}

/** In the order in which sampling names them: the own one first. */
function namesOf(procfs: string, found: readonly FoundNamespace[], own: OwnNamespace): Named[] {
  const labels = new NamespaceLabels(procfs);
  const isOwn = ({ inode }: FoundNamespace) => inode === own.inode;
  const others = found.filter((namespace) => !isOwn(namespace));
  const ordered = [...found.filter(isOwn), ...labels.inOrder(others)];
  return ordered.map((namespace) => ({
    netns: labels.identify(namespace, isOwn(namespace) ? own.name === 'host' : undefined).netns,
    namespace,
  }));
}

/** undefined where the text is no number, or no process has it. */
function ofProcess(procfs: string, pid: string): FoundNamespace | undefined {
  if (!/^[1-9]\d{0,9}$/.test(pid)) return undefined;
  const path = join(procfs, pid, 'ns/net');
  try {
    const inode = parseNamespaceLink(readlinkSync(path));
    return inode === undefined ? undefined : { inode, path, pid: Number(pid), name: undefined };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    const why = isRefused(error) ? whyDenied(['CAP_SYS_PTRACE']) : failureText(error);
    throw new ExporterError(`readlink() of ${path}: ${why}`);
  }
}

const NAMES_SHOWN = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => printable(name, 128));
  const rest = names.length - shown.length;
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}
