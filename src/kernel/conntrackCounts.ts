import { ExporterError } from '../base/errors.ts';
import { ifReadable } from '../base/ifReadable.ts';
import { netDirectory, readProcText, readSysctl } from './procfs.ts';

/** What the kernel counts of one network namespace's tracked connections, without walking them. */
export interface ConntrackCounts {
  readonly entries: number;
  /** undefined where there is none, or it is not shown. */
  readonly limit: number | undefined;
  /** Of each possible CPU since the module was loaded, 32 bits wide; undefined where they are not shown. */
  readonly cpus: readonly ConntrackCpu[] | undefined;
}

/** struct ip_conntrack_stat of `include/linux/netfilter/nf_conntrack_common.h`, as far as it matters. */
export type ConntrackCpu = Readonly<Record<(typeof CONNTRACK_COUNTERS)[number], number>>;

/** As the columns are called. */
export const CONNTRACK_COUNTERS = ['found', 'insert_failed', 'drop', 'early_drop'] as const;

/** Of the calling thread's namespace; undefined where connections are not tracked, or nothing of it is shown. */
export function readConntrackCounts(procfs: string): ConntrackCounts | undefined {
  const path = `${netDirectory(procfs)}/stat/nf_conntrack`;
  const text = ifReadable(() => readProcText(path));
  const stat = text === undefined ? undefined : parseConntrackStat(text, path);
  const entries = readNumber(procfs, 'nf_conntrack_count') ?? stat?.entries;
  if (entries === undefined) return undefined;
  const limit = readNumber(procfs, 'nf_conntrack_max');
  // 0 means that there is none.
  return { entries, limit: limit === 0 ? undefined : limit, cpus: stat?.cpus };
}

/** A line of names, then one of hexadecimal numbers for each possible CPU; the number of entries is the same in each. */
export function parseConntrackStat(
  text: string,
  path: string,
): Pick<ConntrackCounts, 'cpus'> & { readonly entries: number | undefined } {
  const [names = [], ...lines] = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
  const value = (line: readonly string[], name: string): number => {
    const digits = line[names.indexOf(name)] ?? '';
    if (!/^[0-9a-f]{1,8}$/i.test(digits)) throw new ExporterError(`${path}: expected a column ${name}`);
    return Number.parseInt(digits, 16);
  };
  return {
    entries: lines[0] && value(lines[0], 'entries'),
    cpus: lines.map((line) => ({
      found: value(line, 'found'),
      insert_failed: value(line, 'insert_failed'),
      drop: value(line, 'drop'),
      early_drop: value(line, 'early_drop'),
    })),
  };
}

function readNumber(procfs: string, name: string): number | undefined {
  const text = ifReadable(() => readSysctl(procfs, `net/netfilter/${name}`));
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
