import { onTestFinished } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { type AppOptions, createApp } from '../../src/web/app.ts';
import { NO_WEB_CONFIG } from '../../src/web/config/webConfig.ts';
import type { ListenAddress } from '../../src/web/listenAddress.ts';
import { type HandedOver, startWeb, type Web } from '../../src/web/startWeb.ts';

/** An app that answers as little as it can, but for `parts`. */
export function plainApp(parts: Partial<AppOptions> = {}) {
  return createApp({
    telemetryPath: '/metrics',
    version: '0',
    log: silentLogger,
    maxRequests: 0,
    allowedHosts: [],
    config: () => NO_WEB_CONFIG,
    render: async () => 'port_example 1\n',
    readiness: () => ({ ready: true, reason: 'fresh' }),
    ...parts,
  });
}

/** It at these places, until the end of the test. */
export async function served(
  parts: Partial<AppOptions> = {},
  places: readonly (ListenAddress | HandedOver)[] = [{ host: '127.0.0.1', port: 0 }],
): Promise<Web> {
  const web = await startWeb(plainApp(parts), places, silentLogger, parts.config ?? (() => NO_WEB_CONFIG));
  onTestFinished(() => web.close());
  return web;
}

/** Of the first place. */
export function portOf({ addresses: [address] }: Web): number {
  if (address === undefined) throw new Error('no address');
  return address.port;
}
