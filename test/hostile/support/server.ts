import { FileReader } from '../../../src/base/fileReader.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { createExposition } from '../../../src/metrics/exposition.ts';
import { RecordedHistory } from '../../../src/status/history.ts';
import { isSampled, statusOf } from '../../../src/status/status.ts';
import { createApp } from '../../../src/web/app.ts';
import { loadWebConfig } from '../../../src/web/config/loadWebConfig.ts';
import { NO_WEB_CONFIG } from '../../../src/web/config/webConfig.ts';
import { createStatusPage } from '../../../src/web/page/statusPage.ts';
import { startWeb } from '../../../src/web/startWeb.ts';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { ASSETS } from '../../web/page/pages.ts';
import { threadMs } from './threadTime.ts';

// What the daemon serves on a host of many namespaces, as a process of its own: `server.ts NAMESPACES MAX_REQUESTS [FILE]`,
// where the file is a web configuration. It prints its port, and ends with its standard input.

const [count = '', maxRequests = '', file] = process.argv.slice(2);
const nowMs = Date.now();
const namespaces = Array.from({ length: Number(count) }, (_, index) => {
  const netns = `netns-${index}`;
  return { ...RICH_NAMESPACE, netns, identity: { ...RICH_NAMESPACE.identity, netns }, sampledAtMs: nowMs };
});
const state = sampled(...namespaces);
const history = new RecordedHistory();
history.record({ namespaces, intervalSeconds: 5 }, performance.now());
const exposition = createExposition({ withProcess: true });
const webConfig = file === undefined ? NO_WEB_CONFIG : await loadWebConfig(file, new FileReader());
/** When it answered, in time of its thread: what a client waits for afterwards is no work of the server. */
const headers = {
  get 'X-Cpu-Ms'() {
    return String(threadMs(process.pid));
  },
};
const config = () => ({ ...webConfig, headers });
const app = createApp({
  ...{ telemetryPath: '/metrics', version: '1', log: silentLogger, config, allowedHosts: [] },
  maxRequests: Number(maxRequests),
  render: (format) => exposition.render(state, format),
  readiness: () => ({ ready: true, reason: 'fresh' }),
  page: createStatusPage({
    ...{ hostname: 'db-7', telemetryPath: '/metrics', version: '1', revision: 'a', peakWindowMs: 60_000 },
    assets: ASSETS,
    knows: (netns) => isSampled(state, netns) || history.remembers(netns),
    status: (wanted) => statusOf(state, history, { nowMs, bootMs: performance.now(), wanted }),
  }),
  readme: 'a line of the README\n'.repeat(200),
});
const { addresses } = await startWeb(app, [{ host: '127.0.0.1', port: 0 }], silentLogger, config);
console.log(addresses[0]?.port);
process.stdin.on('end', () => process.exit()).resume();
