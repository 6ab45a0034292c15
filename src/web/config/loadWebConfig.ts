import { dirname, resolve } from 'node:path';
import type { FileReader } from '../../base/fileReader.ts';
import { loadBcrypt } from '../bcrypt.ts';
import type { Rate } from '../tokenBucket.ts';
import { type ParsedWebConfig, parseWebConfig } from './parseWebConfig.ts';
import { loadTls } from './tlsSettings.ts';
import type { WebConfig } from './webConfig.ts';

/**
 * The web configuration of `file` with the certificates and keys it names. Throws an ExporterError of one line, which
 * begins with the file and the line of the setting at fault.
 */
export async function loadWebConfig(file: string, reader: FileReader): Promise<WebConfig> {
  const text = (await reader.read(file)).toString('utf8');
  const parsed = parseWebConfig(text, file);
  const { basic_auth_users, http_server_config } = parsed.values;
  // Paths are relative to the file that names them, as in the toolkit.
  const tls = await loadTls(parsed, (named) => reader.read(resolve(dirname(file), named)));
  // Now, and not at the first request: a daemon that can check nobody's password must not start.
  if ((basic_auth_users?.size ?? 0) > 0) await loadBcrypt(file);
  return {
    tls,
    users: basic_auth_users ?? new Map(),
    rateLimit: rateLimitOf(parsed),
    headers: Object.fromEntries(
      Object.entries(http_server_config?.headers ?? {}).map(([name, value]) => [name, value ?? '']),
    ),
  };
}

/** Undefined where there is no interval, or one of 0. */
function rateLimitOf({ values, errorAt }: ParsedWebConfig): Rate | undefined {
  const { interval, burst } = values.rate_limit ?? {};
  if ((interval ?? 0) === 0) return undefined;
  if ((burst ?? 0) > 0) return { burst: burst ?? 0, intervalMs: interval ?? 0 };
  throw errorAt(
    ['rate_limit', 'burst'],
    'expected at least 1: with an interval and no burst every request would get a 429',
  );
}
