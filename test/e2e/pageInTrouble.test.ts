/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// What is evaluated in the page knows the page's names.
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import type { ProbesState } from '../../src/probes/openProbes.ts';
import type { ProbeFailure } from '../../src/probes/probe.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { RecordedHistory } from '../../src/status/history.ts';
import { type Asked, statusOf } from '../../src/status/status.ts';
import { createApp } from '../../src/web/app.ts';
import { NO_WEB_CONFIG } from '../../src/web/config/webConfig.ts';
import { newAsset } from '../../src/web/page/assets.ts';
import { createStatusPage } from '../../src/web/page/statusPage.ts';
import { startWeb, type Web } from '../../src/web/startWeb.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { PROBES } from '../metrics/probeStates.ts';
import { failing, RICH_NAMESPACE, sampled, withResults } from '../metrics/snapshots.ts';
import { destinationOf, natNamespace, tableOf } from '../status/snat.ts';
import { violationsOn } from './support/axe.ts';
import { openTab, startBrowser } from './support/browser.ts';
import { itNeeding, missingTool } from './support/needs.ts';

const missingChromium = missingTool('chromium');
// A browser on a busy machine, and axe looks at everything.
vi.setConfig({ testTimeout: 120_000 * SLOWNESS });

const SAMPLED_AT = 1_700_000_000_500;
const EVERY_FAILURE: Readonly<Record<ProbeFailure, string>> = {
  ...{ refused: 'ECONNREFUSED', timeout: 'ETIMEDOUT', unreachable: 'EHOSTUNREACH', other: 'EPROTO' },
  ...{ name_not_found: 'ENOTFOUND', resolver_failed: 'EAI_AGAIN' },
  ...{ no_local_port: 'EADDRNOTAVAIL', no_source_address: 'EADDRNOTAVAIL' },
};
const LONG = 'a-name-of-many-words-and-without-a-single-space-in-it.'.repeat(4);

/** What the page shows of trouble that a real kernel and a real network do not bring when they are told to. */
const TROUBLES: Readonly<Record<string, { readonly state: SamplingState } & Partial<Asked>>> = {
  'no sample': {
    state: { kind: 'failed', reason: 'the sampler hangs', collectors: [] },
    probes: PROBES,
  },
  'an old sample': { state: sampled(RICH_NAMESPACE), nowMs: SAMPLED_AT + 90_000 },
  'collectors that fail': {
    state: sampled(
      failing(RICH_NAMESPACE, 'tcp'),
      ...Array.from({ length: 7 }, (_, index) =>
        failing({ ...RICH_NAMESPACE, netns: `${index}${LONG}` }, 'udp'),
      ),
    ),
  },
  'a kernel that disagrees': { state: sampled(RICH_NAMESPACE) },
  'a full table of connections': { state: sampled(natNamespace(LONG, [], tableOf(5000, 5000))) },
  'packets that vanish where calls fail too': {
    state: sampled(
      exhausted(),
      ...['a', 'b', 'c', 'd'].map((letter) =>
        natNamespace(`${letter}${LONG}`, [destinationOf({ ratio: 0.6, refusalRatio: 0.2 })]),
      ),
    ),
  },
  'probes that fail in every way': { state: sampled(exhausted()), probes: failingProbes() },
};

describe('the status page in trouble', () => {
  let browser: Browser;
  const webs: Web[] = [];

  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const web of webs) await web.close();
  });

  const viewports = { wide: { width: 1280, height: 900 }, narrow: { width: 360, height: 740 } };
  for (const [colorScheme, name] of [
    ['light', 'wide'],
    ['light', 'narrow'],
    ['dark', 'wide'],
    ['dark', 'narrow'],
  ] as const) {
    const viewport = viewports[name];
    itNeeding(missingChromium, `can be read by anybody: ${colorScheme}, ${name}`, async () => {
      for (const [trouble, { state, ...asked }] of Object.entries(TROUBLES)) {
        const web = await serve(state, asked);
        webs.push(web);
        const { page, context, complaints } = await openTab(browser, urlOf(web), { colorScheme, viewport });
        expect(await violationsOn(page), trouble).toEqual([]);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(width, trouble).toBe(viewport.width);
        expect(complaints, trouble).toEqual([]);
        await context.close();
      }
    });
  }

  itNeeding(missingChromium, 'leads from its first lines to the probes', async () => {
    const web = await serve(sampled(RICH_NAMESPACE), { probes: PROBES });
    webs.push(web);
    const { page, context } = await openTab(browser, urlOf(web), { viewport: viewports.narrow });
    await page.getByRole('link', { name: '2 of 3 probes fail' }).click();
    await page.waitForFunction(() => {
      const top = document.getElementById('probes')?.getBoundingClientRect().top ?? -1;
      return top >= 0 && top < innerHeight;
    });
    await context.close();
  });

  itNeeding(missingChromium, 'keeps whose the ports are in sight while their table is scrolled', async () => {
    const web = await serve(sampled(exhausted()), {});
    webs.push(web);
    const { page, context } = await openTab(browser, urlOf(web), { viewport: viewports.narrow });
    const line = page.locator('#destinations-scroll .below p').first();
    const before = await line.boundingBox();
    await page.evaluate(() => document.getElementById('destinations-scroll')?.scrollBy(150, 0));
    const after = await line.boundingBox();
    for (const box of [before, after]) {
      expect(box?.x).toBeGreaterThanOrEqual(0);
      expect((box?.x ?? 0) + (box?.width ?? Number.NaN)).toBeLessThanOrEqual(viewports.narrow.width);
    }
    await context.close();
  });
});

/** Nothing is left, and those who hold the ports have long names. */
function exhausted(): NamespaceSnapshot {
  const { tcp } = RICH_NAMESPACE.results;
  const owners = ['unattributed', LONG, 'checkout.service', 'cron.service'].map((owner) => ({
    ...{ owner, ports: 2000, established: 2000, timeWait: 0, closeWait: 0, other: 0 },
  }));
  const fullest = tcp.destinations.fullest.map((destination) => ({ ...destination, owners }));
  return withResults(RICH_NAMESPACE, {
    canary: [],
    tcp: { ...tcp, connect: { ratio: 1, available: 0 }, destinations: { total: 2, fullest } },
  });
}

function failingProbes(): ProbesState {
  const [one] = PROBES.results.probed;
  if (one === undefined) throw new Error('no probe');
  const probed = Object.entries(EVERY_FAILURE).flatMap(([reason, error]) =>
    [reason, `${reason} ${LONG}`].map((name) => ({
      ...one,
      target: { ...one.target, name, host: name.includes(LONG) ? LONG : 'db.internal' },
      outcome: { ...one.outcome, failure: { reason: reason as ProbeFailure, error } },
    })),
  );
  return { results: { targets: 20, probed }, fileIsGood: false };
}

function serve(state: SamplingState, asked: Partial<Asked>): Promise<Web> {
  const history = new RecordedHistory();
  history.record({ namespaces: [RICH_NAMESPACE], intervalSeconds: 5 }, 0);
  const source = new URL('../../src/web/page/', import.meta.url);
  const style = readFileSync(new URL('style.css', source), 'utf8');
  const page = createStatusPage({
    ...{
      hostname: 'db-7',
      telemetryPath: '/metrics',
      version: '1.2.3',
      revision: 'abc',
      peakWindowMs: 60_000,
    },
    assets: {
      style: newAsset('style.css', 'text/css', style),
      icon: newAsset('icon.svg', 'image/svg+xml', readFileSync(new URL('icon.svg', source), 'utf8')),
      morph: newAsset('morph.js', 'text/javascript', ''),
      refresh: newAsset('refresh.js', 'text/javascript', ''),
    },
    knows: () => true,
    status: (wanted) => statusOf(state, history, { nowMs: SAMPLED_AT, bootMs: 0, wanted, ...asked }),
  });
  const app = createApp({
    ...{ telemetryPath: '/metrics', version: '1.2.3', log: silentLogger, maxRequests: 0, page },
    allowedHosts: [],
    config: () => NO_WEB_CONFIG,
    render: async () => '',
    readiness: () => ({ ready: true, reason: '' }),
  });
  return startWeb(app, [{ host: '127.0.0.1', port: 0 }], silentLogger, () => NO_WEB_CONFIG);
}

function urlOf({ addresses: [address] }: Web): string {
  return `http://127.0.0.1:${address?.port}/`;
}
