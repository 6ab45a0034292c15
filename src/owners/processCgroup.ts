import { ifReadableNow } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';

const FILE_LIMIT = 64 * 1024;

/**
 * The cgroup that a process is in, below the v2 mount, else below v1's of systemd; undefined where it cannot be seen. Throws
 * an ExporterError where descriptors or memory are short.
 */
export function processCgroup(procfs: string, pid: number): string | undefined {
  const path = `${procfs}/${pid}/cgroup`;
  const bytes = ifReadableNow(`reading ${path}`, () => readUpTo(path, FILE_LIMIT));
  return bytes === undefined ? undefined : parseProcessCgroup(bytes.toString('utf8'));
}

/** cgroups(7): `hierarchy:controllers:path` a line; v2 is hierarchy 0. */
export function parseProcessCgroup(text: string): string | undefined {
  const lines = text.split('\n').map((line) => /^(\d+):([^:]*):(\/.*)$/.exec(line));
  const pathOf = (fits: (hierarchy: string, controllers: string) => boolean) =>
    lines.find((match) => match !== null && fits(match[1] ?? '', match[2] ?? ''))?.[3];
  const unified = pathOf((hierarchy) => hierarchy === '0');
  // On a hybrid host the runtime may have made its directories in v1 alone.
  return unified === undefined || unified === '/'
    ? (pathOf((_, controllers) => controllers === 'name=systemd') ?? unified)
    : unified;
}
