import { parseExposition } from '../../support/exposition.ts';

/** What the number of series of an exporter depends on. */
export interface Amounts {
  readonly namespaces: number;
  readonly listeners: number;
  readonly destinations: number;
  readonly localAddresses: number;
  readonly owners: number;
}

/** Series of the exporter itself, of each network namespace, and of each row of its tables, as deploy/reference/fleet.md says. */
export const SERIES = {
  fixed: 92,
  namespace: 111,
  listener: 6,
  destination: 6,
  localAddress: 3,
  owner: 1,
} as const;

export function expectedSeries({
  namespaces,
  listeners,
  destinations,
  localAddresses,
  owners,
}: Amounts): number {
  return (
    SERIES.fixed +
    SERIES.namespace * namespaces +
    SERIES.listener * listeners +
    SERIES.destination * destinations +
    SERIES.localAddress * localAddresses +
    SERIES.owner * owners
  );
}

/** The rows that an exposition has. */
export function amountsOf(text: string): Amounts {
  const counts = familiesOf(text);
  const count = (metric: string) => counts.get(metric) ?? 0;
  return {
    namespaces: count('port_namespace_info'),
    listeners: count('port_listener_info'),
    destinations: count('port_destination_available_ports'),
    localAddresses: count('port_local_address_available_ports'),
    owners: count('port_owner_ephemeral_ports'),
  };
}

/** Series by metric. */
export function familiesOf(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of parseExposition(text)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

export function seriesOf(text: string): number {
  return parseExposition(text).length;
}
