import { readdirSync, readlinkSync } from 'node:fs';
import { ifReadable, ifReadableNow } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { parseProcessStat } from '../owners/processStat.ts';
import { parseNamespaceLink } from './discover.ts';
import type { FoundNamespace } from './found.ts';

const STAT_LIMIT = 4096;

/**
 * Sorted by the start of the oldest process in each, the oldest first; those without any last. Pids begin anew at their
 * limit, so that the lowest need not be the oldest. Looks at every process. Throws an ExporterError where descriptors or memory are short.
 */
export function oldestFirst(procfs: string, found: readonly FoundNamespace[]): FoundNamespace[] {
  const starts = new Map(found.map(({ inode }) => [inode, Number.POSITIVE_INFINITY]));
  for (const name of ifReadableNow(`reading the directory ${procfs}`, () => readdirSync(procfs)) ?? []) {
    if (!/^\d+$/.test(name)) continue;
    const inode = parseNamespaceLink(ifReadable(() => readlinkSync(`${procfs}/${name}/ns/net`)) ?? '');
    const before = inode === undefined ? undefined : starts.get(inode);
    if (inode === undefined || before === undefined) continue;
    const path = `${procfs}/${name}/stat`;
    const stat = ifReadableNow(`reading ${path}`, () => parseProcessStat(readUpTo(path, STAT_LIMIT)));
    if (stat !== undefined) starts.set(inode, Math.min(before, Number(stat.startTime)));
  }
  const startOf = ({ inode }: FoundNamespace) => starts.get(inode) ?? Number.POSITIVE_INFINITY;
  return found.toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0));
}
