/** What to drop first: for metric_relabel_configs, as deploy/reference/fleet.md has them, in this order. */
export const DROPPING = [
  {
    what: 'sockets and connections by state, family and direction',
    regex: 'port_sockets|port_connections',
  },
  {
    what: 'durations and counts of the sampler, by collector',
    regex: 'port_exporter_sample_duration_seconds|port_exporter_sampled_sockets|port_canary_duration_seconds',
  },
  {
    what: 'counts beside ratios: of listeners, owners and local addresses',
    regex:
      'port_listeners|port_listener_connections|port_owners|port_local_addresses|port_local_address_(used|available)_ports',
  },
  {
    what: 'the exporter process',
    regex: 'nodejs_.*|process_(cpu|heap|max|open|resident|virtual).*',
  },
] as const;
