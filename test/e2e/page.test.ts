/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// What is evaluated in the page knows the page's names.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, vi } from 'vitest';
import { Actor } from '../live/support/actor.ts';
import { BPF_READS_TABLES, SLOWNESS } from '../live/support/kernel.ts';
import { NAME_PREFIX, NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import { World } from '../live/support/world.ts';
import { violationsOn } from './support/axe.ts';
import { openTab, startBrowser, type Tab } from './support/browser.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';
import { secured } from './support/secured.ts';

const missingChromium = missingTool('chromium');
/** For the browser's own timeouts, and for what only comes with the next sample. */
const PATIENCE_MS = 25_000 * SLOWNESS;
// A browser on a busy machine, and axe looks at everything.
vi.setConfig({ testTimeout: 180_000 * SLOWNESS });

/** A process may call itself so: 15 bytes of anything. */
const HOSTILE = '<img src=x o=1>';

describeLive('in a real browser, the status page', () => {
  let world: World;
  let door: ReturnType<typeof secured>;
  let daemon: Daemon;
  let browser: Browser;
  const tabs: Tab[] = [];
  /** Connections that end with the test. */
  const taken: number[] = [];

  beforeAll(async () => {
    world = new World({ range: [40000, 40099] });
    world.addIpv6('2001:db8:1234:5678:9abc:def0:1234:5678');
    world.connect('2001:db8:1234:5678:9abc:def0:1234:5678');
    door = secured();
    // Refused calls stand above all else for a quarter of an hour: one test has them, and a page of its own.
    daemon = await startDaemon(10_069, [`--namespaces=${NAME_PREFIX}.*`, '--no-refusals']);
    browser = await startBrowser();
  }, 120_000 * SLOWNESS);

  afterEach(async () => {
    for (const { context } of tabs.splice(0)) await context.close();
    for (const fd of taken.splice(0)) world.abort(fd);
  });

  afterAll(async () => {
    await browser?.close();
    await daemon?.end();
    world?.close();
  });

  /** Below the range: a port of it would be nobody's to connect from. */
  function startDaemon(port: number, flags: readonly string[]): Promise<Daemon> {
    return Daemon.started(
      [
        `--web.listen-address=127.0.0.1:${port}`,
        '--sample.interval=500ms',
        '--sample.max-duty=1',
        ...door.flags,
        ...flags,
      ],
      // Looks for the processes of listeners, however slow the machine is.
      { env: { PORT_EXPORTER_PROCESSES_BUDGET: '20s' } },
    );
  }

  async function open(options: BrowserContextOptions = {}, { path = '/', of = daemon } = {}): Promise<Tab> {
    const tab = await openTab(browser, `https://127.0.0.1:${of.port}${path}`, {
      ignoreHTTPSErrors: true,
      httpCredentials: door.credentials,
      ...options,
    });
    tab.page.setDefaultTimeout(PATIENCE_MS);
    tabs.push(tab);
    return tab;
  }

  /** Until the page was fetched again: the next one has another age or the same, but it was asked for. */
  async function refreshed({ page }: Tab, times = 1): Promise<void> {
    for (let i = 0; i < times; i++) await page.waitForResponse((response) => isPage(response.url()));
    // What arrived is shown in the same turn that reads it.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
  }

  const isPage = (url: string) => new URL(url).pathname === '/';
  const fillOf = (page: Page, regime: string) =>
    page.locator(`#regime-${regime} rect.fill`).getAttribute('width');

  itNeeding(missingChromium, 'loads without a complaint, and asks nobody but the exporter', async () => {
    const tab = await open();
    await refreshed(tab, 2);
    expect(await tab.page.title()).toMatch(/^[\d.]+ % ok · .+ · port-exporter$/);
    const { origin } = new URL(tab.page.url());
    expect(new Set(tab.requests.map((url) => new URL(url).origin))).toEqual(new Set([origin]));
    expect(tab.requests.map((url) => new URL(url).pathname)).toEqual(
      expect.arrayContaining([
        '/',
        '/-/page/style.css',
        '/-/page/morph.js',
        '/-/page/refresh.js',
        '/-/page/icon.svg',
      ]),
    );
    expect(tab.complaints).toEqual([]);
    expect(tab.page.url().startsWith('https:')).toBe(true);
  });

  itNeeding(missingChromium, 'follows the ports that are taken and given back, in place', async () => {
    const tab = await open();
    const { page } = tab;
    await page.evaluate(() => Object.assign(window, { isSame: true }));
    const before = await fillOf(page, 'tcp-connect');
    taken.push(...Array.from({ length: 85 }, () => world.connect('127.0.0.2')));
    await page.locator('#regime-tcp-connect .ratio', { hasText: '85.0 %' }).waitFor();
    expect(before).not.toBe('85.00%');
    expect(await fillOf(page, 'tcp-connect')).toBe('85.00%');
    expect(await page.locator('#regime-tcp-connect').innerText()).toMatch(/near[\s\S]*15 left/);
    expect(await page.locator('#verdict').innerText()).toMatch(/15 more connect\(\) calls/);
    expect(await page.title()).toMatch(/^85\.0 % near/);
    const drawn = await page.locator('#regime-tcp-connect rect.fill').boundingBox();
    const whole = await page.locator('#regime-tcp-connect .track').boundingBox();
    // The bar grows in less than a second.
    expect(drawn?.width ?? 0).toBeGreaterThan(0);
    await expect
      .poll(
        async () => {
          const now = await page.locator('#regime-tcp-connect rect.fill').boundingBox();
          return Math.round(((now?.width ?? 0) / (whole?.width ?? 1)) * 100);
        },
        { timeout: PATIENCE_MS },
      )
      .toBe(85);
    for (const fd of taken.splice(0)) world.abort(fd);
    await page.locator('#regime-tcp-connect .ratio', { hasText: /^(?!85)/ }).waitFor();
    expect(await page.evaluate(() => 'isSame' in window)).toBe(true);
    expect(tab.complaints).toEqual([]);
  });

  itNeeding(
    missingChromium,
    'keeps what a person was doing: focus, selection, scrolling, what is open',
    async () => {
      const others = Array.from({ length: 14 }, () => new NamedNamespace({ range: [40000, 40049] }));
      // Just wide enough that rows do not fold, and not for all columns.
      const tab = await open({ viewport: { width: 564, height: 600 } });
      const { page } = tab;
      await page.locator('#more-namespaces summary').click();
      await page.locator('#destinations-scroll').focus();
      await page.keyboard.press('ArrowRight');
      await page.waitForFunction(() => (document.getElementById('destinations-scroll')?.scrollLeft ?? 0) > 0);
      await page.evaluate(() => {
        document.documentElement.scrollTop = 300;
        const heading = document.getElementById('listeners');
        if (heading !== null) getSelection()?.selectAllChildren(heading);
      });
      const seen = () =>
        page.evaluate(() => ({
          focus: document.activeElement?.id,
          selection: String(getSelection()),
          left: document.getElementById('destinations-scroll')?.scrollLeft,
          top: document.documentElement.scrollTop,
          isOpen: document.querySelector<HTMLDetailsElement>('#more-namespaces')?.open,
        }));
      const before = await seen();
      expect(before).toMatchObject({
        focus: 'destinations-scroll',
        selection: 'Listeners',
        top: 300,
        isOpen: true,
      });
      taken.push(world.connect('127.0.0.3'));
      await page.locator('#destinations-scroll', { hasText: '127.0.0.3:8001' }).waitFor();
      const after = await seen();
      expect(after).toEqual({ ...before, left: expect.any(Number), top: expect.any(Number) });
      expect(after.left).toBeGreaterThan(0);
      // The browser itself scrolls by as much as what stands above grows or shrinks by: lines, and no jump.
      expect(Math.abs(after.top - before.top)).toBeLessThan(100);
      expect(others).toHaveLength(14);
    },
  );

  itNeeding(
    missingChromium,
    'says since when there is no answer, and goes on when there is one',
    async () => {
      const tab = await open();
      await tab.context.setOffline(true);
      const banner = tab.page.getByRole('status');
      await banner.filter({ hasText: /^No data from port-exporter since \d/ }).waitFor();
      const said = await banner.innerText();
      // Said once: a text that changes is read aloud again.
      await tab.page.waitForEvent('requestfailed');
      expect(await banner.innerText()).toBe(said);
      await tab.context.setOffline(false);
      await tab.page.waitForFunction(() => document.getElementById('connection')?.textContent === '');
      expect(tab.requests.length).toBeGreaterThan(0);
    },
  );

  itNeeding(
    missingChromium,
    'asks for nothing while nobody looks, and at once when somebody does',
    async () => {
      const tab = await open();
      const { page } = tab;
      await refreshed(tab);
      const look = (isHidden: boolean) =>
        page.evaluate((hidden) => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }, isHidden);
      await look(true);
      // One may be on its way.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const asked = tab.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(tab.requests.length).toBe(asked);
      const answer = page.waitForResponse((response) => isPage(response.url()));
      await look(false);
      await answer;
      expect(tab.complaints).toEqual([]);
    },
  );

  itNeeding(missingChromium, 'shows numbers without any script, and comes again by itself', async () => {
    const { page } = await open({ javaScriptEnabled: false });
    expect(await page.locator('#regime-udp-connect').innerText()).toMatch(/0\.0 %[\s\S]*then EAGAIN/);
    expect(await page.locator('noscript meta[http-equiv="refresh"]').getAttribute('content')).toBe('15');
  });

  itNeeding(missingChromium, 'shows what processes call themselves as text', async () => {
    const actor = new Actor();
    await actor.rename(HOSTILE);
    await actor.listen('127.0.0.1', 8088);
    const { page, complaints, requests } = await open();
    await page.locator('#listeners-scroll', { hasText: HOSTILE }).waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(requests.filter((url) => new URL(url).pathname === '/x')).toEqual([]);
    expect(complaints).toEqual([]);
  });

  itNeeding(
    missingChromium,
    'shows each namespace that is asked for, and says of others that they are gone',
    async () => {
      const other = new NamedNamespace({ range: [40000, 40049] });
      other.inside((inside) => Array.from({ length: 10 }, () => inside.connect('127.0.0.9')));
      const { page } = await open();
      await page.getByRole('link', { name: other.name }).first().click();
      await page.getByRole('heading', { name: other.name }).waitFor();
      await page.locator('#destinations-scroll', { hasText: '127.0.0.9:8001' }).waitFor();
      expect(await page.locator('#regimes .range').innerText()).toContain('50 usable');
      other.close();
      await page.getByText('is not in the last sample').waitFor();
      await page.getByRole('link', { name: 'Show the worst instead' }).click();
      await page.locator('#regime-tcp-connect').waitFor();
    },
  );

  itNeeding(missingChromium, 'tells that no port is left here from a target that is down', async () => {
    taken.push(world.connect('127.0.0.5'));
    const file = join(newDirectory(), 'probes.yml');
    const targets = { orders: '127.0.0.5:8001', search: '127.0.0.5:8009' };
    const entries = Object.entries(targets).map(
      ([name, target]) => `- { name: ${name}, target: "tcp://${target}", interval: 1s }\n`,
    );
    writeFileSync(file, entries.join(''));
    const probing = await startDaemon(10_070, ['--namespaces=self', `--probe.file=${file}`]);
    const { page, complaints } = await open({}, { of: probing });
    const row = (name: string) => page.locator('#probes-scroll tbody tr', { hasText: name });
    await row('orders').filter({ hasText: 'ok' }).waitFor();
    await row('search').filter({ hasText: 'refused' }).waitFor();
    taken.push(...Array.from({ length: 99 }, () => world.connect('127.0.0.5')));
    await page.locator('#probes-alarm', { hasText: 'orders: no local port left' }).waitFor();
    expect(await page.locator('#probes-alarm').innerText()).toMatch(
      /2 of 2 probes fail[\s\S]*search: refused/,
    );
    // All of them come from 127.0.0.1, which bind() is refused on, too; as calculated.
    await page
      .locator('#canary', { hasText: /TCP IPv4 refused: EADDRINUSE in .* TCP IPv6 gave a port in/ })
      .waitFor();
    expect(await page.locator('#disagreement').count()).toBe(0);
    if (BPF_READS_TABLES) {
      // The probe itself was refused.
      const alarm = page.locator('#refusals[role=alert]', {
        hasText: /TCP connect\(\) calls? in .* failed with EADDRNOTAVAIL[\s\S]*to 127\.0\.0\.5:8001/,
      });
      await alarm.waitFor();
      const topOf = async (selector: string) => (await page.locator(selector).boundingBox())?.y ?? 0;
      expect(await topOf('#refusals')).toBeLessThan(await topOf('#verdict'));
      expect(await page.title()).toMatch(/^\d+ calls? failed · /);
    }
    expect(complaints).toEqual([]);
    await probing.end();
  });

  describe('by keyboard', () => {
    itNeeding(missingChromium, 'all that can be used is reached, in order, and seen', async () => {
      const { page } = await open({ viewport: { width: 1280, height: 900 } });
      const reached: string[] = [];
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        const here = await page.evaluate(() => {
          const element = document.activeElement;
          if (element === null || element === document.body) return undefined;
          const { outlineStyle, outlineWidth } = getComputedStyle(element);
          const { top, bottom, width } = element.getBoundingClientRect();
          return {
            name: element.id.endsWith('-scroll') ? element.id : (element.textContent ?? ''),
            isMarked: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
            isVisible: width > 0 && bottom > 0 && top < innerHeight,
          };
        });
        if (here === undefined) break;
        expect(here, `after ${reached.join(', ')}`).toMatchObject({ isMarked: true, isVisible: true });
        reached.push(here.name);
      }
      expect(reached[0]).toBe('Skip to main content');
      const netns = reached[1] ?? '';
      expect(netns).toMatch(/^net:\[\d+\]$|^host$/);
      expect(reached.slice(2)).toEqual([
        ...['destinations-scroll', 'listeners-scroll', 'namespaces-scroll', netns, 'owners-scroll'],
        ...['Metrics', 'Healthy', 'Ready', 'README'],
      ]);
    });

    itNeeding(missingChromium, 'the first key leads past the head of the page', async () => {
      const { page } = await open();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.activeElement?.id === 'main');
    });
  });

  describe('on a phone', () => {
    for (const width of [360, 390, 420]) {
      itNeeding(missingChromium, `cuts no column off: rows fold at ${width} px`, async () => {
        const { page } = await open({ viewport: { width, height: 740 }, isMobile: true, hasTouch: true });
        await page.locator('#destinations-scroll tbody tr').first().waitFor();
        const seen = await page.evaluate(() => {
          const cells = [...document.querySelectorAll('.scroll tbody :is(th, td), .scroll tbody .bar')];
          const isCutOff = (cell: Element) => {
            const { left, right, width: wide } = cell.getBoundingClientRect();
            return wide === 0 || left < 0 || right > innerWidth || cell.scrollWidth > cell.clientWidth + 1;
          };
          const first = document.querySelector('#destinations-scroll tbody tr');
          return {
            page: document.documentElement.scrollWidth,
            cells: cells.length,
            cutOff: cells
              .filter((cell) => !cell.matches('.bar') && isCutOff(cell))
              .map((cell) => cell.outerHTML),
            titles: [...(first?.querySelectorAll('td') ?? [])].map((cell) => ({
              title: cell.dataset['title'],
              isLabelled: getComputedStyle(cell, '::before').content.includes(cell.dataset['title'] ?? '-'),
            })),
            bar: first?.querySelector('.bar')?.getBoundingClientRect().width ?? 0,
          };
        });
        expect(seen.page).toBe(width);
        expect(seen.cells).toBeGreaterThan(6);
        expect(seen.cutOff).toEqual([]);
        const titles = ['Used', 'Left', 'Ports by state', 'Established', 'TIME_WAIT', 'Other'];
        expect(seen.titles).toEqual(titles.map((title) => ({ title, isLabelled: true })));
        expect(seen.bar).toBeGreaterThan(90);
      });
    }
  });

  describe.each(['light', 'dark'] as const)('in a %s scheme', (colorScheme) => {
    const viewports = {
      wide: { width: 1280, height: 900 },
      medium: { width: 600, height: 740 },
      narrow: { width: 360, height: 740 },
    };
    for (const [name, viewport] of Object.entries(viewports)) {
      itNeeding(missingChromium, `has nothing that axe objects to: ${name}`, async () => {
        // Every level once, and everything that only trouble shows.
        taken.push(...Array.from({ length: 96 }, () => world.connect('127.0.0.4')));
        const others = [0.55, 0.85, 1].map((share) => {
          const other = new NamedNamespace({ range: [40000, 40019] });
          other.inside((inside) => Array.from({ length: share * 20 }, () => inside.connect('127.0.0.9')));
          return other;
        });
        const { page } = await open({ colorScheme, viewport });
        await page.locator('#namespaces-scroll', { hasText: 'imminent' }).waitFor();
        await page.locator('#namespaces-scroll', { hasText: 'exhausted' }).waitFor();
        expect(await violationsOn(page)).toEqual([]);
        for (const path of ['?netns=nobody', `?netns=${others[0]?.name}`]) {
          await page.goto(new URL(path, page.url()).href);
          expect(await violationsOn(page)).toEqual([]);
        }
      });
    }

    itNeeding(missingChromium, 'has its ground', async () => {
      const { page } = await open({ colorScheme });
      const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const [red = 0] = (/\d+/.exec(ground) ?? []).map(Number);
      expect(red > 128).toBe(colorScheme === 'light');
    });
  });

  itNeeding(missingChromium, 'is not there with --no-web.page, but its links are', async () => {
    const plain = await startDaemon(10_070, ['--namespaces=self', '--no-web.page']);
    const tab = await open({}, { of: plain });
    expect(await tab.page.locator('script, link, svg').count()).toBe(0);
    expect(await tab.page.getByRole('link').allInnerTexts()).toEqual(['/metrics', '/-/healthy', '/-/ready']);
    await plain.end();
  });
});
