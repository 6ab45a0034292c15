import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ExporterError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { FileReader } from './fileReader.ts';
import { loadWebConfig } from './loadWebConfig.ts';
import { NO_WEB_CONFIG, type WebConfig } from './webConfig.ts';

/**
 * Milliseconds between two looks. The files' bytes are compared: it costs little, and unlike events and time stamps they
 * do not depend on how a file came there: written in place, renamed, or a symbolic link that was turned elsewhere.
 */
const LOOK_MS = 500;

/** The web configuration that is in force now. */
export interface LiveWebConfig {
  readonly current: WebConfig;
  close(): void;
}

/**
 * Loads `file` and takes it up again whenever it or a file it names has changed, keeping the last good one with one log
 * line where the new one is bad. Throws an ExporterError where the first is. An empty `file` is none.
 */
export async function openWebConfig(file: string, log: Logger, lookMs = LOOK_MS): Promise<LiveWebConfig> {
  if (file === '') return { current: NO_WEB_CONFIG, close: () => {} };
  let loaded = new FileReader();
  let current = await loadWebConfig(file, loaded);
  const closing = new AbortController();

  const look = async (): Promise<void> => {
    let before = loaded;
    while (!closing.signal.aborted) {
      await sleep(lookMs, undefined, { ref: false, signal: closing.signal });
      const seen = await loaded.again();
      // Seen twice the same: a file that is just being written may be empty or half there, and still be valid YAML.
      if (!seen.equals(loaded) && seen.equals(before)) await take(seen);
      before = seen;
    }
  };
  const take = async (seen: FileReader): Promise<void> => {
    loaded = new FileReader(seen);
    try {
      current = withSameTls(await loadWebConfig(file, loaded), current);
      log.info('the web configuration changed', { file, ...summaryOf(current) });
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      log.error('the web configuration changed and cannot be used, the last good one stays', { error });
    }
  };
  look().catch((error: unknown) => {
    if (!closing.signal.aborted) log.error('the web configuration is no longer looked at', { error });
  });
  return {
    get current() {
      return current;
    },
    close: () => closing.abort(),
  };
}

/** For a log line. */
export function summaryOf({ tls, users }: WebConfig): { scheme: string; basic_auth: string } {
  return {
    scheme: tls === undefined ? 'http' : 'https',
    basic_auth: users.size === 0 ? 'off' : 'on',
  };
}

/** Connections made under other TLS settings are not served any more: those that did not change stay the same object. */
export function withSameTls(next: WebConfig, before: WebConfig): WebConfig {
  return isDeepStrictEqual(next.tls, before.tls) ? { ...next, tls: before.tls } : next;
}
