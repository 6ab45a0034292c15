import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { alertAnnotations } from './annotations.ts';
import { dashboardLinks, HOMEPAGE } from './links.ts';
import { blockedPortsRow } from './rows/blockedPorts.ts';
import { canaryRow } from './rows/canary.ts';
import { destinationsRow } from './rows/destinations.ts';
import { exporterRow } from './rows/exporter.ts';
import { fleetRow } from './rows/fleet.ts';
import { listenersRow } from './rows/listeners.ts';
import { namespacesRow } from './rows/namespaces.ts';
import { ownersRow } from './rows/owners.ts';
import { probesRow } from './rows/probes.ts';
import { refusalsRow } from './rows/refusals.ts';
import { regimesRow } from './rows/regimes.ts';
import { snatRow } from './rows/snat.ts';
import { socketsRow } from './rows/sockets.ts';
import { dashboardVariables } from './variables.ts';

/** The whole dashboard, as Grafana imports it (the classic model, which Grafana 10 and later read). */
export function portExporterDashboard(): Dashboard {
  const builder = new DashboardBuilder('Ephemeral ports')
    .uid('port-exporter')
    .description('How many further connect() and bind() calls succeed, from port-exporter.')
    .tags(['port-exporter', 'network'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(dashboardVariables())
    .annotations(alertAnnotations())
    .links(dashboardLinks(HOMEPAGE));
  for (const { title, panels } of openRows()) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  for (const { title, panels } of collapsedRows()) {
    const row = new RowBuilder(title).collapsed(true);
    for (const panel of panels) row.withPanel(panel);
    builder.withRow(row);
  }
  return finished(builder.build());
}

/**
 * The text of the checked-in file. Barely indented: in a ConfigMap, `kubectl apply` notes all of it in an annotation, and
 * annotations hold 256 KiB.
 */
export function dashboardJson(): string {
  return `${JSON.stringify(portExporterDashboard(), null, 1)}\n`;
}

/** From top to bottom: where it is worst, and which call fails next, to where. */
function openRows() {
  return [fleetRow(), refusalsRow(), regimesRow(), destinationsRow()];
}

/** Below them: why. Grafana asks for their panels once they are opened. */
function collapsedRows() {
  return [
    snatRow(),
    blockedPortsRow(),
    canaryRow(),
    probesRow(),
    listenersRow(),
    ownersRow(),
    namespacesRow(),
    socketsRow(),
    exporterRow(),
  ];
}

/** With an id for each panel; switches and links in sight, and not in the menu where the SDK puts them. */
function finished(dashboard: Dashboard): Dashboard {
  const panels = (dashboard.panels ?? []).flatMap((panel) => [
    panel,
    ...(panel.type === 'row' && 'panels' in panel ? panel.panels : []),
  ]);
  for (const [index, panel] of panels.entries()) panel.id = index + 1;
  for (const each of [...(dashboard.annotations.list ?? []), ...(dashboard.links ?? [])])
    delete each.placement;
  return dashboard;
}
