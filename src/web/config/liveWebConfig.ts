import { isDeepStrictEqual } from 'node:util';
import { type LiveFile, noFile, openLiveFile } from '../../base/liveFile.ts';
import type { Logger } from '../../base/logger.ts';
import { NO_WEB_CONFIG, type WebConfig } from './webConfig.ts';

/**
 * Loads `file` and takes it up again whenever it or a file it names has changed, keeping the last good one with one log
 * line where the new one is bad. Throws an ExporterError where the first is. Without `file` it says nothing.
 *
 * @param lookMs milliseconds between two looks
 */
export async function openWebConfig(
  file: string | undefined,
  log: Logger,
  lookMs?: number,
): Promise<LiveFile<WebConfig>> {
  if (file === undefined) return noFile(NO_WEB_CONFIG);
  return await openLiveFile<WebConfig>({
    async load(reader, before = NO_WEB_CONFIG) {
      // Loaded only here: the libraries behind it take 11 MB.
      const { loadWebConfig } = await import('./loadWebConfig.ts');
      return withSameTls(await loadWebConfig(file, reader), before);
    },
    taken: (config) => log.info('web configuration reloaded', { file, ...summaryOf(config) }),
    refused: (error) => log.error('failed to reload web configuration, keeping the previous one', { error }),
    failed: (error) => log.error('stopped watching the web configuration', { error }),
    lookMs,
  });
}

/** For a log line. */
export function summaryOf({ tls, users, rateLimit }: WebConfig): Readonly<Record<string, string>> {
  return {
    scheme: tls === undefined ? 'http' : 'https',
    basic_auth: users.size === 0 ? 'off' : 'on',
    ...(rateLimit === undefined ? {} : { rate_limit: 'on' }),
  };
}

/** Connections made under other TLS settings are not served any more: those that did not change stay the same object. */
export function withSameTls(next: WebConfig, before: WebConfig): WebConfig {
  return isDeepStrictEqual(next.tls, before.tls) ? { ...next, tls: before.tls } : next;
}
