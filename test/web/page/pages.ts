import type { ProbesState } from '../../../src/probes/openProbes.ts';
import type { SamplingState } from '../../../src/snapshot/samplingState.ts';
import { RecordedHistory } from '../../../src/status/history.ts';
import type { RefusalState } from '../../../src/status/refusalLedger.ts';
import { isSampled, statusOf } from '../../../src/status/status.ts';
import { newAsset } from '../../../src/web/page/assets.ts';
import { createStatusPage } from '../../../src/web/page/statusPage.ts';
import { plainApp } from '../served.ts';

export const SAMPLED_AT = 1_700_000_000_500;
export const ASSETS = {
  style: newAsset('style.css', 'text/css', 'p { color: red }'),
  icon: newAsset('icon.svg', 'image/svg+xml', '<svg/>'),
  morph: newAsset('morph.js', 'text/javascript', 'var Idiomorph;'),
  refresh: newAsset('refresh.js', 'text/javascript', 'export {};'),
};

interface Seen {
  readonly nowMs?: number;
  readonly history?: RecordedHistory;
  readonly hostname?: string;
  readonly telemetryPath?: string;
  readonly dashboardUrl?: string;
  readonly runbookUrl?: string;
  readonly probes?: ProbesState;
  readonly refusals?: RefusalState;
  readonly epochMs?: number;
}

export function app(state: SamplingState, seen: Seen = {}) {
  const {
    nowMs = SAMPLED_AT,
    history = new RecordedHistory(),
    hostname = 'db-7',
    telemetryPath = '/metrics',
  } = seen;
  return plainApp({
    telemetryPath,
    version: '1.2.3',
    page: createStatusPage({
      ...{ hostname, telemetryPath, version: '1.2.3', revision: 'abc', peakWindowMs: 60_000, assets: ASSETS },
      ...{ dashboardUrl: seen.dashboardUrl, runbookUrl: seen.runbookUrl },
      knows: (netns) => isSampled(state, netns) || history.remembers(netns),
      status: (wanted) => {
        const { probes, refusals, epochMs = nowMs } = seen;
        return statusOf(state, history, { nowMs, bootMs: 0, wanted, probes, refusals, epochMs });
      },
    }),
  });
}

export async function page(state: SamplingState, seen: Seen = {}, path = '/'): Promise<string> {
  return (await app(state, seen).request(path)).text();
}

/** The text of a page without its markup, as one line. */
export function textOf(html: string): string {
  return html
    .replaceAll(/<head>.*<\/head>/gs, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/[ \n]+/g, ' ');
}

export function recordedOnce(state: SamplingState): RecordedHistory {
  const history = new RecordedHistory();
  if (state.kind === 'sampled') history.record(state.snapshot, 0);
  return history;
}
