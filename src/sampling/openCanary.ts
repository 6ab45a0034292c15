import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Libc } from '../kernel/libc.ts';
import type { SocketSource } from '../sockets/source.ts';
import { Canary } from './canary.ts';
import type { SampledHostOptions } from './sampledHost.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** → how to make one for each namespace. */
export function openCanary(
  { canary }: SamplingOptions,
  source: SocketSource,
  openLibc: () => Libc,
  log: Logger,
): SampledHostOptions['newCanary'] {
  if (!canary) return undefined;
  try {
    const libc = openLibc();
    // /proc/net shows neither bound-only sockets nor which are IPv6-only.
    const exact = () => ({ tcp: source.sees.boundOnly, udp: source.sees.ipv6Only });
    return () => new Canary(libc, exact);
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    log.info('canary disabled', {
      error: errorLine(error),
    });
    return undefined;
  }
}
