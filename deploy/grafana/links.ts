import { readFileSync } from 'node:fs';
import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

/** The `homepage` of package.json: where the repository can be read; undefined as long as it does not say. */
export const HOMEPAGE = homepageOf(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** At the top of the dashboard: the exporter's own page and, where there is one to link to, what to read. */
export function dashboardLinks(homepage: string | undefined): DashboardLinkBuilder[] {
  const documents =
    homepage === undefined
      ? []
      : [
          link('Metrics', `${homepage}/blob/main/deploy/reference/metrics.md`, 'Meaning of the metrics.'),
          link('Runbooks', `${homepage}/blob/main/deploy/runbooks.md`, 'What to do about each alert.'),
        ];
  return [
    link('Status page', 'http://${instance}/', 'Works if instance is the address and serves plain HTTP.'),
    link('Status page (TLS)', 'https://${instance}/', 'Works if instance is the address and serves HTTPS.'),
    ...documents,
  ];
}

function link(title: string, url: string, tooltip: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .icon('external link')
    .url(url)
    .tooltip(tooltip)
    .targetBlank(true);
}

function homepageOf(packageJson: string): string | undefined {
  const { homepage }: { homepage?: string } = JSON.parse(packageJson);
  return homepage;
}
