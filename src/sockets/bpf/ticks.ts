import { ExporterError } from '../../base/errors.ts';
import { readSysctl } from '../../kernel/procfs.ts';

/** Debian's, Ubuntu's and Red Hat's kernels differ; nobody tells user space. */
const USUAL = 1000;

/**
 * CONFIG_HZ: how many jiffies a second has, by two sysctls that /proc has in seconds and the kernel in jiffies. The ages of
 * TIME_WAIT sockets are counted in them.
 */
export function ticksPerSecond(
  procfs: string,
  jiffies: { readonly finTimeout: number; readonly keepaliveInterval: number },
): number {
  const ticks =
    ratio(jiffies.finTimeout, procfs, 'net/ipv4/tcp_fin_timeout') ??
    ratio(jiffies.keepaliveInterval, procfs, 'net/ipv4/tcp_keepalive_intvl');
  return ticks ?? USUAL;
}

/** undefined where the sysctl is 0, or changed meanwhile: no kernel has another number of jiffies. */
function ratio(jiffies: number, procfs: string, name: string): number | undefined {
  let seconds: number;
  try {
    seconds = Number(readSysctl(procfs, name));
  } catch (error) {
    if (error instanceof ExporterError) return undefined;
    throw error;
  }
  const ticks = jiffies / seconds;
  return Number.isInteger(ticks) && ticks >= 24 && ticks <= 1200 ? ticks : undefined;
}
