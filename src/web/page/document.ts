import { html } from 'hono/html';
import { formatDuration } from '../../base/duration.ts';
import { percent } from '../../base/quantities.ts';
import { type CollectorFailure, costsNumbers } from '../../snapshot/failure.ts';
import { REGIMES } from '../../status/regimes.ts';
import type { NamespaceStatus, SampleStatus, Status } from '../../status/status.ts';
import type { Timeline } from '../../status/timeline.ts';
import { patterns } from './bar.ts';
import { canaryLine, disagreement } from './canary.ts';
import { destinationsSection } from './destinations.ts';
import { age, grouped, type Html, name } from './format.ts';
import { listenersSection } from './listeners.ts';
import { namespacesSection } from './namespaces.ts';
import { ownersSection } from './owners.ts';
import { probesAlarm, probesSection } from './probes.ts';
import { refusalsAlarm } from './refusals.ts';
import { regimeCards } from './regimeCards.ts';
import { natSection } from './snat.ts';
import { natAlarm } from './snatWords.ts';
import { sparkline } from './sparkline.ts';
import { documentTitle, verdict } from './verdict.ts';

/** What the page says beside the numbers. Its paths are relative to it. */
export interface PageFrame {
  readonly hostname: string;
  readonly version: string;
  readonly revision: string;
  /** Absolute path of the metrics. */
  readonly telemetryPath: string;
  readonly peakWindowMs: number;
  /** What to read next, elsewhere. */
  readonly dashboardUrl?: string | undefined;
  readonly runbookUrl?: string | undefined;
  /** Relative URLs, which change with what they lead to. */
  readonly assets: Readonly<Record<'style' | 'icon' | 'morph' | 'refresh', string>>;
  /** Changes with any of the assets. */
  readonly build: string;
}

/** How often the page is fetched where there is no sample to say so, and at most. */
const SLOWEST_REFRESH_MS = 10_000;
const FASTEST_REFRESH_MS = 1000;
/** Without a script a page that comes again too soon cannot be read. */
const LEAST_RELOAD_SECONDS = 15;

/** The whole document. Every text in it is escaped: most names in it are strangers' choice. */
export function statusDocument(status: Status, frame: PageFrame): string {
  const { assets, build, hostname } = frame;
  const refreshMs = refreshOf(status.sample);
  const reloadSeconds = Math.max(LEAST_RELOAD_SECONDS, Math.round(refreshMs / 1000));
  const text = html`<!doctype html>
<html lang="en" data-build="${build}" data-refresh-ms="${refreshMs}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${documentTitle(status, hostname)}</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.style}">
<noscript><meta http-equiv="refresh" content="${reloadSeconds}"></noscript>
<script defer src="${assets.morph}"></script>
<script type="module" src="${assets.refresh}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to main content</a>
<div id="connection" role="status"></div>
<div id="page">
${pageHeader(status, frame)}
<main id="main" tabindex="-1">
${patterns()}
${refusalsAlarm(status)}
${problemOf(status)}
${verdict(status)}
${natAlarm(status)}
${probesAlarm(status)}
${failuresOf(status.sample)}
${namespaceView(status, frame)}
</main>
${pageFooter(status, frame)}
</div>
</body>
</html>
`;
  return String(text);
}

function refreshOf(sample: SampleStatus | undefined): number {
  const wanted = Math.round(sample?.intervalMs ?? SLOWEST_REFRESH_MS);
  return Math.min(Math.max(wanted, FASTEST_REFRESH_MS), SLOWEST_REFRESH_MS);
}

function pageHeader({ sample }: Status, { hostname }: PageFrame): Html {
  const facts =
    sample === undefined
      ? 'no sample'
      : html`sampled <time id="age" data-age-ms="${Math.round(sample.ageMs)}">${age(sample.ageMs)}</time> ago, every ${formatDuration(sample.intervalMs)}, in ${formatDuration(Math.max(1, sample.durationMs))}, from ${sample.source}`;
  return html`<header><h1>${name(hostname)} <span>port-exporter</span></h1><p class="facts">${facts}</p></header>`;
}

/** Said as loudly as exhaustion itself: whoever trusts an old number is misled. */
function problemOf({ problem }: Status): Html | string {
  if (problem === undefined) return '';
  return html`<div id="problem" class="problem" role="alert"><strong>Do not trust this page:</strong> ${name(problem)}</div>`;
}

const FAILURES_SHOWN = 5;

function failuresOf(sample: SampleStatus | undefined): Html | string {
  const items = (sample?.failures ?? []).filter(costsNumbers).map(failureItem);
  if (items.length === 0) return '';
  const [shown, more] = [items.slice(0, FAILURES_SHOWN), items.slice(FAILURES_SHOWN)];
  return html`<section id="failures" class="failures" aria-label="Failed collectors"><h2>Failed collectors</h2><ul>${shown}</ul>
${more.length === 0 ? '' : html`<details id="more-failures"><summary>${more.length} more</summary><ul>${more}</ul></details>`}</section>`;
}

/** What the exporter may not look at costs names or the sight of others: no business of whoever is in an incident. */
function blindSpotsOf(sample: SampleStatus | undefined): Html | string {
  const items = (sample?.failures ?? []).filter((failure) => !costsNumbers(failure)).map(failureItem);
  if (items.length === 0) return '';
  const more = items.length - BLIND_SPOTS_SHOWN;
  return html`<section id="blind-spots" aria-label="Limited visibility"><p>Not visible to the exporter:</p><ul>${items.slice(0, BLIND_SPOTS_SHOWN)}</ul>${more > 0 ? `and ${more} more` : ''}</section>`;
}

const BLIND_SPOTS_SHOWN = 5;

function failureItem({ netns, collector, error }: CollectorFailure): Html {
  return html`<li>${name(netns)} <code>${collector}</code>: ${name(error)}</li>`;
}

function namespaceView(status: Status, frame: PageFrame): Html {
  const { shown, hour, absent } = status;
  if (shown === undefined) {
    return html`${absent === undefined || status.sample === undefined ? '' : absence(absent)}
${hour === undefined ? '' : html`<section id="hours"><h2>The last hour of ${name(hour.netns)}</h2>${hourCharts(hour.timeline)}</section>`}
<div class="columns"><div>
${probesSection(status)}
${status.sample === undefined ? '' : namespacesSection(status)}
</div></div>`;
  }
  return html`<section id="regimes"><h2 class="shown">${name(shown.netns)}</h2>${rangeLine(shown)}
${disagreement(shown)}
${regimeCards(shown.regimes, hour?.timeline.regimes, frame.peakWindowMs)}
${canaryLine(shown)}</section>
<div class="columns"><div>
${natSection(shown)}
${destinationsSection(shown)}
${listenersSection(shown)}
</div><div>
${probesSection(status)}
${namespacesSection(status)}
${ownersSection(shown)}
${hour === undefined ? '' : html`<section id="sockets-section"><h2>Sockets</h2>${socketsChart(hour.timeline)}</section>`}
</div></div>`;
}

function absence(netns: string): Html {
  return html`<p class="absent"><strong>${name(netns)}</strong> is not in the last sample: it no longer exists or was omitted. <a href="./">Show the worst instead</a></p>`;
}

/** What all four bars are measured by, and what no connect() can have. */
function rangeLine({ range, blocked, uncertain, capacity }: NamespaceStatus): Html | string {
  if (range === undefined) return '';
  const { first, last, usable, reserved } = range;
  const parts = [
    `ports ${first}\u2013${last}`,
    `${grouped(usable)} usable`,
    ...(reserved > 0 ? [`${grouped(reserved)} reserved`] : []),
    ...(blocked === undefined
      ? []
      : [
          `blocked for connect(): ${grouped(blocked.listener)} by listeners, ${orUnknown(blocked.bound)} only bound, ${
            blocked.bucket === undefined
              ? `${orUnknown(blocked.explicit)} by number, ${orUnknown(blocked.inferred)} inferred`
              : `${grouped(blocked.bucket)} by connections that called bind()`
          }`,
        ]),
    ...(uncertain === 0 ? [] : [`${grouped(uncertain)} may be blocked`]),
    ...(capacity === undefined ? [] : [`${grouped(capacity)} available to a new destination`]),
  ];
  return html`<p class="range">${parts.map((part) => html`<span>${part}</span> `)}</p>`;
}

function orUnknown(ports: number | undefined): string {
  return ports === undefined ? 'unknown' : grouped(ports);
}

/** Where there are no numbers, the hour before is still worth a look. */
function hourCharts({ regimes }: Timeline): Html {
  return html`<div class="cards">${REGIMES.map(
    ({ protocol, scope }, index) =>
      html`<article class="card"><h3>${protocol.toUpperCase()} ${scope}()</h3>${sparkline(
        `${protocol.toUpperCase()} ${scope}()`,
        regimes[index] ?? [],
        { top: 1, show: percent, isRatio: true },
      )}</article>`,
  )}</div>`;
}

function socketsChart({ sockets }: Timeline): Html {
  const known = sockets.map(({ value }) => value).filter((value) => !Number.isNaN(value));
  return sparkline('TCP and UDP sockets', sockets, {
    top: Math.max(1, ...known),
    show: grouped,
    isRatio: false,
  });
}

function pageFooter({ sample }: Status, frame: PageFrame): Html {
  const { telemetryPath, version, revision, dashboardUrl, runbookUrl } = frame;
  const links = [
    ...(dashboardUrl === undefined ? [] : [[dashboardUrl, 'Dashboard'] as const]),
    ...(runbookUrl === undefined ? [] : [[runbookUrl, 'Runbooks'] as const]),
    [`.${telemetryPath}`, 'Metrics'],
    ['./-/healthy', 'Healthy'],
    ['./-/ready', 'Ready'],
    ['./readme', 'README'],
  ];
  return html`<footer>${blindSpotsOf(sample)}<nav aria-label="Pages">${links.map(([href, text]) => html`<a href="${href}">${text}</a> `)}</nav>
<p>port-exporter ${version} (${revision}), Node.js ${process.version}</p></footer>`;
}
