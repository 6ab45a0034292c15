import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ProbesState } from '../../src/probes/openProbes.ts';
import type { Results } from '../../src/snapshot/results.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { RecordedHistory } from '../../src/status/history.ts';
import { statusOf } from '../../src/status/status.ts';
import { newAsset } from '../../src/web/page/assets.ts';
import { elapsed } from '../../src/web/page/format.ts';
import { createStatusPage } from '../../src/web/page/statusPage.ts';
import { PROBES } from '../metrics/probeStates.ts';
import {
  EMPTY_NAMESPACE,
  estimatedAt,
  failing,
  RICH_NAMESPACE,
  sampled,
  type WholeNamespace,
  withResults,
} from '../metrics/snapshots.ts';
import { plainApp } from './served.ts';

const SAMPLED_AT = 1_700_000_000_500;
const ASSETS = {
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
  readonly readme?: string | undefined;
  readonly probes?: ProbesState;
}

function app(state: SamplingState, seen: Seen = {}) {
  const {
    nowMs = SAMPLED_AT,
    history = new RecordedHistory(),
    hostname = 'db-7',
    telemetryPath = '/metrics',
  } = seen;
  return plainApp({
    telemetryPath,
    version: '1.2.3',
    readme: seen.readme,
    page: createStatusPage({
      ...{ hostname, telemetryPath, version: '1.2.3', revision: 'abc', peakWindowMs: 60_000, assets: ASSETS },
      status: (wanted) => statusOf(state, history, { nowMs, clockMs: 0, wanted, probes: seen.probes }),
    }),
  });
}

async function page(state: SamplingState, seen: Seen = {}, path = '/'): Promise<string> {
  return (await app(state, seen).request(path)).text();
}

/** The text of a page without its markup, as one line. */
function textOf(html: string): string {
  return html
    .replaceAll(/<head>.*<\/head>/gs, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/[ \n]+/g, ' ');
}

function recordedOnce(state: SamplingState): RecordedHistory {
  const history = new RecordedHistory();
  if (state.kind === 'sampled') history.record(state.snapshot, 0);
  return history;
}

describe('the status page', () => {
  it('is HTML under a policy that allows nothing but what the exporter serves', async () => {
    const { status, headers } = await app(sampled(RICH_NAMESPACE)).request('/');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  it('leaves the policy of every other answer as it was', async () => {
    for (const path of ['/metrics', '/-/healthy', '/readme', ASSETS.style.path]) {
      const { headers } = await app(sampled(RICH_NAMESPACE)).request(path);
      expect(headers.get('content-security-policy')).not.toContain('script-src');
    }
  });

  it('has no style or script inside of it, and refers to nothing elsewhere', async () => {
    const html = await page(sampled(RICH_NAMESPACE));
    expect(html).not.toMatch(/\sstyle=|\son\w+=|<style|javascript:/i);
    for (const [, script = ''] of html.matchAll(/<script[^>]*>(.*?)<\/script>/gs)) expect(script).toBe('');
    const links = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(8);
    for (const link of links) expect(link).toMatch(/^(?:\.\/|#)/);
  });

  it('says of each regime how full it is, of which key, and what an application would see', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE)));
    expect(text).toMatch(
      /TCP connect\(\) ok 5\.3 % 90 left of 95 10\.0\.0\.1 → 203\.0\.113\.1:443 then EADDRNOTAVAIL peak 50\.0 % in 1m/,
    );
    expect(text).toMatch(/TCP bind\(\) ok [\d.]+ % \d+ left of 95 on 10\.0\.0\.1 then EADDRINUSE/);
    expect(text).toMatch(/UDP connect\(\) ok [\d.]+ % \d+ left of 95 to any destination then EAGAIN/);
    expect(text).toMatch(/UDP bind\(\) ok [\d.]+ % \d+ left of 95 on [\d.]+ then EADDRINUSE/);
  });

  it('shows destinations, listeners, owners and namespaces, and how many are left out', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE)));
    expect(text).toContain('203.0.113.1:443 from 10.0.0.1');
    expect(text).toContain('2 more destinations, with fewer ports.');
    expect(text).toContain('0.0.0.0:80 http · nginx/812 · www-data · nginx.service 3 /511');
    expect(text).toContain('app.service');
    expect(text).toMatch(/host read whole, 0s old kernel disagrees 5\.3 %/);
    expect(text).toContain('1 found, 1 sampled');
    expect(text).toContain('sampled 0s ago, every 5s, in 250ms, from netlink');
  });

  it('has the whole command that explains the fullest destination, namespace included', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const [first] = tcp?.destinations.fullest ?? [];
    if (tcp === undefined || first === undefined) throw new Error('no destination');
    const destinations = { total: 1, fullest: [{ ...first, remoteAddress: '2001:db8::7', remotePort: 443 }] };
    const inPod = withResults(
      { ...RICH_NAMESPACE, netns: 'net:[4026532]' },
      { tcp: { ...tcp, destinations } },
    );
    const text = textOf(await page(sampled(inPod))).replaceAll('&#39;', "'");
    expect(text).toContain(" port-exporter explain '[2001:db8::7]:443' --netns='net:[4026532]' ");
    expect(textOf(await page(sampled(EMPTY_NAMESPACE)))).not.toContain('port-exporter explain');
  });

  it('names those who hold the ports of a destination, most first, and adds up the rest', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const owners = ['unattributed', 'web.service', 'batch.service', 'cron.service', 'ssh.service'].map(
      (owner, index) => ({
        ...{ owner, ports: 2000 - index, established: 0, timeWait: 0, closeWait: 0, other: 0 },
      }),
    );
    const fullest = tcp.destinations.fullest.map((destination) => ({ ...destination, owners }));
    const text = textOf(
      await page(
        sampled(withResults(RICH_NAMESPACE, { tcp: { ...tcp, destinations: { total: 1, fullest } } })),
      ),
    );
    expect(text).toContain(
      'held by unattributed 2\u202f000, web.service 1\u202f999, batch.service 1\u202f998, 3\u202f993 of others',
    );
  });

  it('groups the digits of counts and not those of ports', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const [first] = tcp.destinations.fullest;
    if (first === undefined) throw new Error('no destination');
    const large = { ...first, remotePort: 54_321, available: 12_345 };
    const text = textOf(
      await page(
        sampled(
          withResults(RICH_NAMESPACE, { tcp: { ...tcp, destinations: { total: 1, fullest: [large] } } }),
        ),
      ),
    );
    expect(text).toContain(':54321');
    expect(text).toContain('12\u202f345');
  });

  it.each([
    [0.49, 'ok'],
    [0.5, 'half used'],
    [0.8, 'near'],
    [0.95, 'imminent'],
    [1, 'exhausted'],
  ])('at %s says in words, pattern and colour that this is %s', async (ratio, word) => {
    const { tcp } = RICH_NAMESPACE.results;
    const available = Math.round((1 - ratio) * 95);
    const html = await page(
      sampled(
        withResults(RICH_NAMESPACE, { tcp: { ...tcp, capacity: available, connect: { ratio, available } } }),
      ),
    );
    const level = word === 'half used' ? 'half' : word;
    expect(textOf(html)).toContain(`TCP connect() ${word} `);
    expect(html).toMatch(new RegExp(`<rect class="fill ${level}" x="0.00%" width="${ratio * 100}.00%"`));
    expect(html.includes(`fill="url(#fill-${level})"`)).toBe(word !== 'ok');
    if (word === 'ok') return;
    expect(/<title>(.*)<\/title>/.exec(html)?.[1]).toMatch(
      new RegExp(`^[\\d.]+ % ${word} · db-7 · port-exporter$`),
    );
  });

  it('says what the next call meets once nothing is left', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const text = textOf(
      await page(
        sampled(
          withResults(RICH_NAMESPACE, { tcp: { ...tcp, capacity: 0, connect: { ratio: 1, available: 0 } } }),
        ),
      ),
    );
    expect(text).toContain('TCP connect() 100.0 % The next connect() call fails with EADDRNOTAVAIL .');
  });

  it('says so where some ports may be blocked or not', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const connect = { ratio: 0.6, available: 38, availableAtLeast: 12 };
    const uncertain = { uncertain: 26, capacity: 38, capacityAtLeast: 12 };
    const text = textOf(
      await page(sampled(withResults(RICH_NAMESPACE, { tcp: { ...tcp, ...uncertain, connect } }))),
    );
    expect(text).toContain(
      'Between 12 and 38 more connect() calls succeed, then EADDRNOTAVAIL : some ports may be blocked or not.',
    );
    expect(text).toContain('\u2265 12 left of 95');
    expect(text).toContain('26 blocked or not: nobody can tell');
    expect(text).toContain('12 for a new destination');
  });

  it('says that estimates are estimates', async () => {
    const regime = { ratio: 0.04, available: 91 };
    const listeners = { counts: { ipv4: 0, ipv6: 0 }, total: 0, fullest: [] };
    const text = textOf(
      await page(sampled(estimatedAt(RICH_NAMESPACE, { tcp: regime, udp: regime, listeners }))),
    );
    expect(text).toContain('TCP connect() not read whole ≤ 4.0 % ≥ 91 left of 95 worst destination not read');
    expect(text).toContain('TCP connect() at most 4.0 % At least 91 more connect() calls succeed');
    expect(text).toMatch(/host not read whole, 0s old/);
  });

  it('never says of an estimate, now or within the hour, what is said of a fact', async () => {
    const regime = { ratio: 1, available: 0 };
    const listeners = { counts: { ipv4: 0, ipv6: 0 }, total: 0, fullest: [] };
    const estimated: NamespaceSnapshot = {
      ...estimatedAt(RICH_NAMESPACE, { tcp: regime, udp: regime, listeners }),
      peaks: [{ protocol: 'tcp', scope: 'connect', ratio: 1 }],
      listeners: [],
    };
    const history = new RecordedHistory();
    history.record({ namespaces: [estimated, { ...estimated, netns: 'gone' }], intervalSeconds: 5 }, 0);
    history.record({ namespaces: [estimated], intervalSeconds: 5 }, 0);
    const html = await page(sampled(estimated), { history });
    const alarming = /<[^<>]*(?:level-|class="fill |#fill-)(?:near|imminent|exhausted)\b[^<>]*>[^<>]*/g;
    expect(html.match(alarming)).toBeNull();
    const text = textOf(html);
    expect(text).not.toContain('exhausted');
    expect(text).toContain('peak ≤ 100.0 % in');
    expect(text).toMatch(/gone at most 100\.0 %, not read whole, \S+ ago/);
    // Of now, and of the hour.
    expect(text).toMatch(/host not read whole, 0s old ≤ 100\.0 % ≤ 100\.0 %/);
  });

  it('makes do without a single socket', async () => {
    const text = textOf(await page(sampled(EMPTY_NAMESPACE)));
    expect(text).toContain('No destination holds an ephemeral port.');
    expect(text).toContain('Nobody is known to listen.');
  });
});

describe("the kernel's own word", () => {
  const [answer] = RICH_NAMESPACE.results.canary;
  if (answer === undefined) throw new Error('not asked');
  const agreeing = { ...answer, succeeded: true, seconds: 0.000_012, error: undefined, disagrees: false };
  const canaryOf = (...canary: Results['canary']) => sampled(withResults(RICH_NAMESPACE, { canary }));

  it('is one line of how long it took while it gives ports', async () => {
    const text = textOf(
      await page(canaryOf(agreeing, { ...agreeing, protocol: 'udp', family: 'ipv6', seconds: 0.0015 })),
    );
    expect(text).toContain(
      'Asked for a port on loopback, the kernel gave one: TCP IPv4 in 12\u202fµs UDP IPv6 in 1.5\u202fms Fullest',
    );
    expect(text).not.toContain('disagree');
  });

  it('is a refusal with its errno, in the colour of exhaustion, and no contradiction where none is left', async () => {
    const refused = { ...agreeing, succeeded: false, error: 'EADDRINUSE', calculated: 0 };
    const html = await page(canaryOf(refused, { ...agreeing, family: 'ipv6' }));
    expect(textOf(html)).toMatch(
      /the kernel answered: TCP IPv4 refused: EADDRINUSE in 12\u202fµs TCP IPv6 gave one in 12\u202fµs/,
    );
    expect(html).toContain('level-exhausted">refused: <code>EADDRINUSE</code>');
    expect(textOf(html)).not.toContain('disagree');
  });

  it('is said loudly, with the numbers, where it contradicts the calculation', async () => {
    const refused = { ...agreeing, succeeded: false, error: 'EADDRINUSE', calculated: 1234 };
    const given = { ...agreeing, family: 'ipv6', calculated: 0 } as const;
    const html = await page(
      canaryOf(
        { ...refused, disagrees: true, disagreements: 2 },
        { ...given, disagrees: true, disagreements: 1 },
      ),
    );
    expect(html).toContain('<div id="disagreement" class="problem" role="alert">');
    expect(textOf(html)).toMatch(
      /The kernel disagrees: TCP IPv4 refused a port on loopback with EADDRINUSE , although 1\u202f234 were calculated to be left; TCP IPv6 gave a port on loopback, although none was calculated to be left\./,
    );
    expect(textOf(html)).toContain('3 disagreements so far');
  });

  it('that contradicts is marked on other namespaces too', async () => {
    const other = withResults(
      { ...RICH_NAMESPACE, netns: 'pod' },
      { canary: [{ ...agreeing, disagrees: true }] },
    );
    const html = await page(sampled(withResults(RICH_NAMESPACE, { canary: [] }), other), {}, '/?netns=host');
    expect(html).not.toContain('id="disagreement"');
    expect(textOf(html)).toMatch(/pod read whole, 0s old kernel disagrees/);
  });

  it('is absent where the kernel was not asked, or has no address', async () => {
    const none = { ...agreeing, succeeded: undefined, seconds: undefined };
    for (const state of [canaryOf(), canaryOf(none)]) expect(await page(state)).not.toContain('id="canary"');
  });
});

describe('probes on the page', () => {
  it('are absent where nobody asked for any', async () => {
    const none = { results: { targets: 0, probed: [] }, fileIsGood: undefined };
    for (const probes of [undefined, none, { ...none, fileIsGood: true }]) {
      expect(await page(sampled(RICH_NAMESPACE), probes && { probes })).not.toMatch(/probes/i);
    }
  });

  it('say of each target, those that failed first, what came of it, how long it took and when', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE), { probes: PROBES, nowMs: SAMPLED_AT + 7000 }));
    expect(text).toMatch(
      /Target Result Resolve Connect gateway &quot;ü&quot; \S+ no local port left here – 0\u202fµs 7s ago EADDRNOTAVAIL : the target was not even asked typo \S+ name not found 125\u202fms – 7s ago ENOTFOUND db \S+ ok 250\u202fms 500\u202fms 7s ago/,
    );
    expect(text).toContain('1 target not probed yet.');
    expect(text).toContain('bad file --probe.file changed and cannot be used: the targets of before stay.');
  });

  it('that fail are named where the page begins, and none where none does', async () => {
    const html = await page(sampled(RICH_NAMESPACE), { probes: PROBES });
    const text = textOf(html);
    expect(text).toMatch(
      /2 of 3 probes fail gateway &quot;ü&quot; : no local port left here typo : name not found/,
    );
    expect(html.indexOf('id="probes-alarm"')).toBeLessThan(html.indexOf('id="regimes"'));
    const probed = PROBES.results.probed.slice(0, 1);
    const fine = { ...PROBES, results: { targets: 1, probed } };
    expect(await page(sampled(RICH_NAMESPACE), { probes: fine })).not.toContain('probes-alarm');
  });

  it('are there without a sample', async () => {
    const failed: SamplingState = { kind: 'failed', reason: 'the sampling thread hangs', collectors: [] };
    expect(textOf(await page(failed, { probes: PROBES }))).toMatch(/No numbers\..*Probes Target Result/);
  });

  it('are a table, a list and a number, however many there are', async () => {
    const [one] = PROBES.results.probed;
    if (one === undefined) throw new Error('none');
    const probed = Array.from({ length: 1000 }, (_, index) => ({
      ...one,
      target: { ...one.target, name: `t${index}` },
    }));
    const html = await page(sampled(RICH_NAMESPACE), {
      probes: { ...PROBES, results: { targets: 1000, probed } },
    });
    expect(textOf(html)).toContain('100 more t10 ok');
    expect(textOf(html)).toContain('890 more targets, with no worse results.');
    expect(html.length).toBeLessThan(60_000);
  });
});

describe('a duration on the page', () => {
  it.each([
    [0, '0 µs'],
    [0.000_012_4, '12 µs'],
    [0.000_999_4, '999 µs'],
    [0.000_999_6, '1.0 ms'],
    [0.012_34, '12.3 ms'],
    [0.099_96, '100 ms'],
    [0.9994, '999 ms'],
    [0.9996, '1.0 s'],
    [2.0046, '2.0 s'],
    [120, '120 s'],
  ])('of %s seconds is %s', (seconds, text) => {
    expect(elapsed(seconds)).toBe(text.replace(' ', '\u202f'));
  });
});

describe('a page without good numbers', () => {
  const FAILED: SamplingState = { kind: 'failed', reason: 'the sampling thread <hangs>', collectors: [] };

  it('says so first and loudly, and shows none that are old', async () => {
    const history = recordedOnce(sampled(RICH_NAMESPACE));
    const html = await page(FAILED, { history });
    const text = textOf(html);
    expect(html).toMatch(/<div id="problem" class="problem" role="alert">/);
    expect(text).toContain('Do not trust this page: the sampling thread &lt;hangs&gt;');
    expect(text).toContain('No numbers.');
    expect(text).not.toMatch(/ left of |Fullest destinations|sampled \d/);
    expect(text).toContain('The last hour of host');
    expect(/<title>(.*)<\/title>/.exec(html)?.[1]).toBe('! no numbers · db-7 · port-exporter');
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

describe('namespaces on the page', () => {
  const many = Array.from({ length: 40 }, (_, index) => ({ ...RICH_NAMESPACE, netns: `pod-${index}` }));

  it('are all reachable, however many', async () => {
    const html = await page(sampled(RICH_NAMESPACE, ...many));
    for (const { netns } of [RICH_NAMESPACE, ...many]) expect(html).toContain(`href="./?netns=${netns}"`);
    expect(textOf(html)).toContain('29 more, with emptier ranges');
  });

  it('are shown in full when asked for', async () => {
    const html = await page(sampled(RICH_NAMESPACE, ...many), {}, '/?netns=pod-39');
    expect(html).toContain('<h2 class="shown"><bdi>pod-39</bdi></h2>');
    expect(html).toMatch(/href="\.\/\?netns=pod-39" aria-current="true"/);
  });

  it('that are not there are said to be gone', async () => {
    const html = await page(sampled(RICH_NAMESPACE), {}, '/?netns=%3Cb%3E');
    expect(textOf(html)).toContain('&lt;b&gt; is not in the last sample');
    expect(html).not.toContain('<b>');
    expect(textOf(html)).toContain('Network namespaces');
  });

  it('have names that survive their link', async () => {
    const netns = 'a&b=c d/\ud800"#?';
    const html = await page(sampled({ ...RICH_NAMESPACE, netns }));
    const [, href = ''] =
      /<tr role="row" id="[^"]*"><th role="rowheader" scope="row"><a id="[^"]*" href="([^"]*)"/.exec(html) ??
      [];
    const asked = new URL(href.replaceAll('&amp;', '&'), 'http://exporter/').searchParams.get('netns');
    expect(asked).toBe(netns.replace('\ud800', '\ufffd'));
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
    const texts = { address: HOSTILE, service: HOSTILE, process: HOSTILE, user: HOSTILE, unit: HOSTILE };
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

describe('what the page refers to', () => {
  it('is served under the very addresses it has there, to be kept for ever', async () => {
    const html = await page(sampled(RICH_NAMESPACE));
    for (const asset of Object.values(ASSETS)) {
      const [, path = ''] = html.match(new RegExp(`(?:href|src)="\\.(${asset.path}\\?v=[\\w-]+)"`)) ?? [];
      const response = await app(sampled(RICH_NAMESPACE)).request(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(asset.contentType);
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      expect(await response.text()).toBe(asset.text);
    }
  });

  it('is asked for again under any other address, and not sent twice', async () => {
    const { path } = ASSETS.style;
    const first = await app(sampled(RICH_NAMESPACE)).request(`${path}?v=old`);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const headers = { 'if-none-match': `"other", ${first.headers.get('etag')}` };
    const again = await app(sampled(RICH_NAMESPACE)).request(path, { headers });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const other = await app(sampled(RICH_NAMESPACE)).request(path, {
      headers: { 'if-none-match': '"other"' },
    });
    expect(other.status).toBe(200);
  });

  it('has another address once it holds something else', () => {
    expect(newAsset('a.css', 'text/css', 'a').hash).not.toBe(newAsset('a.css', 'text/css', 'b').hash);
  });

  it('is zipped for whoever takes that, as the page is', async () => {
    for (const path of ['/', ASSETS.style.path]) {
      const response = await app(sampled(RICH_NAMESPACE)).request(path, {
        headers: { 'accept-encoding': 'gzip' },
      });
      expect(response.headers.get('content-encoding')).toBe('gzip');
      const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString();
      expect(text).toMatch(path === '/' ? /^<!doctype html>/ : /^p \{/);
    }
  });

  it('includes the metrics, wherever they are, health and the README', async () => {
    const html = await page(sampled(RICH_NAMESPACE), { telemetryPath: '/ports/metrics' });
    for (const href of ['./ports/metrics', './-/healthy', './-/ready', './readme']) {
      expect(html).toContain(`<a href="${href}">`);
    }
  });
});

describe('asked for many times at once', () => {
  afterEach(() => void vi.useRealTimers());

  it('is made once for each namespace, and again a moment later', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const asked: (string | undefined)[] = [];
    const { render } = createStatusPage({
      ...{
        hostname: 'db-7',
        telemetryPath: '/metrics',
        version: '1',
        revision: 'a',
        peakWindowMs: 1,
        assets: ASSETS,
      },
      status: (wanted) => {
        asked.push(wanted);
        return statusOf(sampled(RICH_NAMESPACE), new RecordedHistory(), {
          nowMs: SAMPLED_AT,
          clockMs: 0,
          wanted,
        });
      },
    });
    for (const netns of [undefined, undefined, undefined, 'host', 'host', undefined]) render(netns);
    expect(asked).toEqual([undefined, 'host', undefined]);
    vi.advanceTimersByTime(250);
    render(undefined);
    expect(asked).toHaveLength(4);
  });
});

describe('/readme', () => {
  it('is plain text', async () => {
    const response = await app(sampled(RICH_NAMESPACE), { readme: '# <b>\n' }).request('/readme');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
    expect(await response.text()).toBe('# <b>\n');
  });

  it('is a 404 in one line where it is not installed', async () => {
    const response = await app(sampled(RICH_NAMESPACE)).request('/readme');
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('404 Not Found: README.md is not installed\n');
  });
});
