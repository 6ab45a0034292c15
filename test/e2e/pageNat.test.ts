/// <reference lib="dom" />
// What is evaluated in the page knows the page's names.
import type { Browser } from 'playwright-core';
import { expect, onTestFinished, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { Nat, natRefusal, SERVER_PORT } from '../live/support/nat.ts';
import * as posix from '../live/support/posix.ts';
import { describeLive } from '../live/support/privilege.ts';
import { violationsOn } from './support/axe.ts';
import { openTab, startBrowser, type Tab } from './support/browser.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { Daemon } from './support/program.ts';

const PATIENCE_MS = 25_000 * SLOWNESS;
// A browser on a busy machine, and axe looks at everything.
vi.setConfig({ testTimeout: 120_000 * SLOWNESS });

const FIRST = 2000;
const PORTS = 100;
const VIEWPORTS = { wide: { width: 1280, height: 900 }, narrow: { width: 360, height: 740 } };

describeLive('in a real browser, the page of a router', () => {
  const missing = natRefusal() ?? missingTool('chromium');

  itNeeding(missing, 'follows its NAT from calm over near to packets that vanish, and back', async () => {
    const { nat, open } = await startRouter();
    const { addresses } = nat;
    const { page, complaints } = await open();
    expect(await page.locator('#verdict').innerText()).toMatch(/^ok/);
    expect(await page.locator('#nat-section').count()).toBe(0);

    const verdict = (hasText: RegExp) => page.locator('#verdict', { hasText }).waitFor();
    expect(nat.connect('tcp', 60)).toBe(60);
    await verdict(/TCP behind the NAT to \S+: 60\.0 % of the ports used\s+40 ports left/);
    const row = page.locator('#nat-destinations-scroll tbody tr').first();
    expect(await row.innerText()).toContain(`${addresses.server}:${SERVER_PORT}`);
    expect(await row.locator('rect.fill.established').getAttribute('width')).toBe('60.00%');
    expect(await page.locator('#nat-destinations-scroll .below').innerText()).toBe(
      `held by ${addresses.client} 60`,
    );

    expect(nat.connect('tcp', 50)).toBe(40);
    await verdict(/TCP behind the NAT to \S+: up to 100\.0 % of new packets vanish/);
    const said = await page.locator('#verdict').innerText();
    expect(said).toContain(`to ${addresses.server}:${SERVER_PORT}: up to`);
    expect(said).toContain(`New connections from ${addresses.nat} find no port`);
    expect(said).toContain('connect() takes 1 s or 3 s, or times out');
    expect(await page.title()).toMatch(/^NAT: packets vanish · /);
    // Its own calls are as good as ever.
    expect(await page.locator('#regime-tcp-connect').innerText()).toMatch(/\bok\b/);

    nat.endConnections();
    nat.flush();
    await verdict(/^ok[\s\S]*connect\(\)/);
    expect(await page.locator('#nat-section').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    itNeeding(
      missing,
      `can be read by anybody while packets vanish, in a ${colorScheme} scheme`,
      async () => {
        const { nat, open } = await startRouter();
        nat.connect('tcp', PORTS + 1);
        nat.connect('udp', 60);
        nat.connect('udp', 10, { port: SERVER_PORT + 1 });
        for (const viewport of Object.values(VIEWPORTS)) {
          const { page, complaints } = await open({ colorScheme, viewport });
          await page.locator('#nat-destinations-scroll tbody tr:not(.below)').nth(2).waitFor();
          expect(await violationsOn(page)).toEqual([]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(viewport.width);
          expect(complaints).toEqual([]);
        }
      },
    );
  }
});

interface Router {
  readonly nat: Nat;
  open(options?: Parameters<typeof openTab>[2]): Promise<Tab>;
}

/** A NAT of PORTS ports, and in its router's namespace this thread, the exporter and a browser. They end with the test. */
async function startRouter(): Promise<Router> {
  const nat = new Nat({ family: 'ipv4', first: FIRST, last: FIRST + PORTS - 1 });
  onTestFinished(() => nat.close());
  const leave = posix.enterNamespace(nat.router.path);
  onTestFinished(leave);
  const daemon = await Daemon.started([
    ...['--namespaces=self', '--no-refusals', '--sample.interval=500ms', '--sample.max-duty=1'],
    `--snat.ports=${FIRST}-${FIRST + PORTS - 1}`,
  ]);
  onTestFinished(async () => void (await daemon.end()));
  const browser: Browser = await startBrowser();
  onTestFinished(() => browser.close());
  return {
    nat,
    async open(options = {}) {
      const tab = await openTab(browser, `http://127.0.0.1:${daemon.port}/`, options);
      tab.page.setDefaultTimeout(PATIENCE_MS);
      return tab;
    },
  };
}
