import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExporterError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import { REVISION, VERSION } from './base/version.ts';
import type { Options } from './cli/options.ts';
import { bootTimeMs, monotonicMs } from './kernel/clock.ts';
import { createExposition } from './metrics/exposition.ts';
import { openProbes, type Probes } from './probes/openProbes.ts';
import { fullResults } from './snapshot/sample.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import { RecordedHistory } from './status/history.ts';
import { readinessOf } from './status/readiness.ts';
import { isSampled, statusOf } from './status/status.ts';
import type { Samplers } from './supervisor/samplers.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { takeListenFds } from './systemd/listenFds.ts';
import { createService } from './systemd/service.ts';
import { holdersOf } from './web/addressInUse.ts';
import { createApp } from './web/app.ts';
import { openWebConfig, summaryOf } from './web/config/liveWebConfig.ts';
import { formatListenAddress } from './web/listenAddress.ts';
import { loadAssets } from './web/page/assets.ts';
import { createStatusPage, type StatusPage } from './web/page/statusPage.ts';
import { readReadme } from './web/readme.ts';
import { AddressInUse, startWeb } from './web/startWeb.ts';

export interface Daemon {
  /** Reads the web configuration and the probe file again, and says what came of it. */
  reload(): Promise<void>;
  /** Ends everything, in reverse. */
  stop(): Promise<void>;
}

/**
 * Starts everything: sampler, web, probes, waits for the first sample, and says READY. Throws an ExporterError where the web
 * configuration or the probe file is bad, an address cannot be listened on or nothing can be sampled; what was started until
 * then is stopped.
 */
export async function startDaemon(options: Options, log: Logger, samplers: Samplers): Promise<Daemon> {
  log.info('starting port-exporter', { version: VERSION, revision: REVISION, node: process.version });
  const webConfig = await openWebConfig(options.web.configFile, log);
  const config = () => webConfig.current;
  const probes = await openProbes(options.probes, log);
  let { sampling } = options;
  const supervisor = new Supervisor(() => {
    const sampler = samplers.start(sampling);
    // One that replaces this one would find the file there.
    sampling = { ...sampling, recordFile: undefined };
    return sampler;
  }, log);
  const exposition = createExposition({
    withProcess: options.web.exporterMetrics ? true : 'start',
    probes: () => probes.state,
    refusals: () => supervisor.refusals,
  });
  const app = createApp({
    telemetryPath: options.web.telemetryPath,
    version: VERSION,
    log,
    maxRequests: options.web.maxRequests,
    allowedHosts: options.web.allowedHosts,
    config,
    render: (format) => exposition.render(supervisor.state, format),
    readiness: () => readinessOf(supervisor.state, monotonicMs()),
    page: options.web.page ? openPage(supervisor, probes, options) : undefined,
    readme: readReadme(),
  });
  const service = createService({
    environment: process.env,
    state: () => supervisor.state,
    refusals: () => supervisor.refusals,
    log,
    announcing: samplers.announcing,
  });
  const places = options.web.systemdSocket
    ? takeListenFds(process.env, process.pid).map((fd) => ({ fd }))
    : options.web.listenAddresses;

  const firstSample = supervisor.start();
  // Should listening fail before it arrives, nobody is left to hear of it.
  firstSample.catch(() => {});
  try {
    const web = await startWeb(app, places, log, config, samplers.listen).catch(async (error: unknown) => {
      throw error instanceof AddressInUse ? await withHolders(error, firstSample) : error;
    });
    log.info('listening', {
      addresses: web.addresses.map(formatListenAddress).join(' '),
      path: options.web.telemetryPath,
      ...summaryOf(webConfig.current),
    });
    probes.start();
    try {
      reportFirst(await firstSample, log);
    } catch (error) {
      await web.close();
      throw error;
    }
    service.ready();
    return {
      async reload() {
        log.info('reloaded', {
          web_config: options.web.configFile === undefined ? 'none' : await webConfig.reload(),
          probe_file: options.probes.file === undefined ? 'none' : await probes.reload(),
        });
      },
      async stop() {
        service.stopping();
        await web.close();
        probes.stop();
        webConfig.close();
        supervisor.stop();
      },
    };
  } catch (error) {
    probes.stop();
    webConfig.close();
    supervisor.stop();
    throw error;
  }
}

/** Milliseconds that a sample may take which tells who holds an address. */
const HOLDERS_WITHIN_MS = 5_000;

/** Names whoever holds the address, as far as the first sample tells, which is taken by who may know. */
async function withHolders(error: AddressInUse, firstSample: Promise<Snapshot>): Promise<ExporterError> {
  const sample = firstSample.catch(() => undefined);
  const snapshot = await Promise.race([sample, sleep(HOLDERS_WITHIN_MS, undefined, { ref: false })]);
  const holders = holdersOf(error.address, snapshot?.namespaces[0]?.listeners ?? []);
  return holders === undefined ? error : new ExporterError(`${error.message}: held by ${holders}`);
}

/** The status page, and the last hour, which is remembered for it alone. */
function openPage(supervisor: Supervisor, probes: Probes, options: Options): StatusPage {
  const history = new RecordedHistory();
  supervisor.onSample((snapshot) => history.record(snapshot, bootTimeMs()));
  return createStatusPage({
    hostname: hostname(),
    version: VERSION,
    revision: REVISION,
    telemetryPath: options.web.telemetryPath,
    peakWindowMs: options.sampling.peakWindowMs,
    dashboardUrl: options.web.dashboardUrl,
    runbookUrl: options.web.runbookUrl,
    assets: loadAssets(),
    knows: (netns) => isSampled(supervisor.state, netns) || history.remembers(netns),
    status: (wanted) =>
      statusOf(supervisor.state, history, {
        ...{ nowMs: monotonicMs(), bootMs: bootTimeMs(), wanted },
        probes: probes.state,
        refusals: supervisor.refusals,
      }),
  });
}

function reportFirst(snapshot: Snapshot, log: Logger): void {
  const [own] = snapshot.namespaces;
  const { range, tcp, udp } = own === undefined ? {} : fullResults(own);
  log.info('first sample', {
    netns: own?.netns,
    usable_ports: range?.usable,
    sockets: (tcp?.sampledSockets ?? 0) + (udp?.sampledSockets ?? 0),
    namespaces: snapshot.namespaces.length,
    seconds: snapshot.durationSeconds.toFixed(4),
  });
}
