import { describe, expect, it } from 'vitest';
import type { SamplingState } from '../../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../../../src/snapshot/snapshot.ts';
import { PROBES } from '../../metrics/probeStates.ts';
import {
  EMPTY_NAMESPACE,
  failing,
  RICH_NAMESPACE,
  sampled,
  type WholeNamespace,
  withResults,
} from '../../metrics/snapshots.ts';
import { page, recordedOnce, SAMPLED_AT, textOf } from './pages.ts';

describe('the status page', () => {
  it('has no style or script inside of it, and refers to nothing elsewhere', async () => {
    const html = await page(sampled(RICH_NAMESPACE));
    expect(html).not.toMatch(/\sstyle=|\son\w+=|<style|javascript:/i);
    for (const [, script = ''] of html.matchAll(/<script[^>]*>(.*?)<\/script>/gs)) expect(script).toBe('');
    const links = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(8);
    for (const link of links) expect(link).toMatch(/^(?:\.\/|#)/);
  });

  it('shows destinations, listeners, owners and namespaces, and how many are left out', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE)));
    expect(text).toContain('203.0.113.1:443 from 10.0.0.1');
    expect(text).toContain('2 more destinations, with fewer ports.');
    expect(text).toContain('0.0.0.0:80 http · nginx/812 · www-data · nginx.service 3 /511');
    expect(text).toContain('app.service');
    expect(text).toMatch(/host full dump, 0s old kernel disagrees 5\.3 %/);
    expect(text).toContain('1 found, 1 sampled');
    expect(text).toContain('sampled 0s ago, every 5s, in 250ms, from netlink');
  });

  it('makes do without a single socket', async () => {
    const text = textOf(await page(sampled(EMPTY_NAMESPACE)));
    expect(text).toContain('No destination holds an ephemeral port.');
    expect(text).toContain('No listeners found.');
  });

  it('includes the metrics, wherever they are, health and the README', async () => {
    const html = await page(sampled(RICH_NAMESPACE), { telemetryPath: '/ports/metrics' });
    for (const href of ['./ports/metrics', './-/healthy', './-/ready', './readme']) {
      expect(html).toContain(`<a href="${href}">`);
    }
  });
});

describe('the links to what to read next', () => {
  const URLS = {
    dashboardUrl: 'https://grafana.example/d/x?a=1&var-instance="><script>',
    runbookUrl: 'http://wiki/ports',
  };

  it('are there where they are configured, escaped', async () => {
    const html = await page(sampled(RICH_NAMESPACE), URLS);
    expect(html).toContain('<a href="http://wiki/ports">Runbooks</a>');
    expect(html).toContain(
      '<a href="https://grafana.example/d/x?a=1&amp;var-instance=&quot;&gt;&lt;script&gt;">Dashboard</a>',
    );
  });

  it('are there in an incident without numbers too, and nowhere else', async () => {
    expect(await page({ kind: 'failed', reason: 'x', collectors: [] }, URLS)).toContain('>Runbooks</a>');
    expect(await page(sampled(RICH_NAMESPACE))).not.toMatch(/>(?:Runbooks|Dashboard)<\/a>/);
  });
});

describe('a page without good numbers', () => {
  const FAILED: SamplingState = { kind: 'failed', reason: 'the sampler <hangs>', collectors: [] };

  it('says so first and loudly, and shows none that are old', async () => {
    const history = recordedOnce(sampled(RICH_NAMESPACE));
    const html = await page(FAILED, { history });
    const text = textOf(html);
    expect(html).toMatch(/<div id="problem" class="problem" role="alert">/);
    expect(text).toContain('Do not trust this page: the sampler &lt;hangs&gt;');
    expect(text).toContain('No data.');
    expect(text).not.toMatch(/ left of |Fullest destinations|sampled \d/);
    expect(text).toContain('The last hour of host');
    expect(/<title>(.*)<\/title>/.exec(html)?.[1]).toBe('! no data · db-7 · port-exporter');
  });

  it('says how old a sample is that is too old', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE), { nowMs: SAMPLED_AT + 90_000 }));
    expect(text).toContain('Do not trust this page: the last sample is 1m30s old');
    expect(text).toContain('sampled 1m30s ago');
  });

  it('names every collector that failed, with its line, and shows the rest', async () => {
    const others = Array.from({ length: 7 }, (_, index) =>
      failing({ ...RICH_NAMESPACE, netns: `n${index}` }, 'udp'),
    );
    const text = textOf(await page(sampled(failing(RICH_NAMESPACE, 'tcp'), ...others), {}, '/?netns=host'));
    expect(text).toContain('host tcp : it went wrong');
    expect(text).toContain('3 more n4 udp : it went wrong');
    expect(text).toContain('TCP connect() Not sampled.');
    expect(text).toMatch(/UDP connect\(\) ok/);
  });
});

describe('names that strangers chose', () => {
  const HOSTILE = `"><img src=x onerror=alert(1)><script>alert('1')</script>&amp;`;

  /** Every text of a snapshot that comes from outside, replaced. */
  function hostile(namespace: WholeNamespace): NamespaceSnapshot {
    const { tcp } = namespace.results;
    const owner = { owner: HOSTILE, ports: 3, established: 3, timeWait: 0, closeWait: 0, other: 0 };
    const owners = { total: 1, fullest: [owner] };
    const [destination] = tcp.destinations.fullest;
    const [address] = tcp.localAddresses.fullest;
    const [listener] = namespace.listeners;
    if (destination === undefined || address === undefined || listener === undefined)
      throw new Error('too poor');
    const texts = { address: HOSTILE, service: HOSTILE, process: HOSTILE, user: HOSTILE, owner: HOSTILE };
    return withResults(
      {
        ...namespace,
        netns: HOSTILE,
        listeners: [{ ...listener, ...texts }],
        outcomes: [{ collector: 'owners', finds: 'names', seconds: 0, error: HOSTILE }],
      },
      {
        owners: { tcp: owners, udp: owners },
        tcp: {
          ...tcp,
          destinations: {
            total: 1,
            fullest: [{ ...destination, localAddress: HOSTILE, remoteAddress: HOSTILE, owners: [owner] }],
          },
          localAddresses: { total: 1, fullest: [{ ...address, localAddress: HOSTILE }] },
        },
      },
    );
  }

  /** Only whoever writes the file chooses them, but that may be a program. */
  const probes = {
    ...PROBES,
    results: {
      targets: PROBES.results.targets,
      probed: PROBES.results.probed.map(({ target, ...rest }, index) => ({
        ...rest,
        target: { ...target, name: `${index}${HOSTILE}`, host: HOSTILE },
      })),
    },
  };

  it('are text, wherever they stand', async () => {
    const state = sampled(hostile(RICH_NAMESPACE));
    const history = recordedOnce(state);
    const html = await page(state, { hostname: HOSTILE, history, probes });
    expect(html.match(/<img|<script>|onerror=alert\(1\)>/g)).toBeNull();
    const times = html.split('&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;').length - 1;
    expect(times).toBeGreaterThan(22);
    expect(
      await page(state, { hostname: HOSTILE, history }, `/?netns=${encodeURIComponent(`${HOSTILE}!`)}`),
    ).not.toMatch(/<img|<script>/);
  });

  it('do not reach ids', async () => {
    const html = await page(sampled(hostile(RICH_NAMESPACE)), { probes });
    const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
    for (const id of ids) expect(id).toMatch(/^[\w-]+$/);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
