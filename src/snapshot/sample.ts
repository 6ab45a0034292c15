import type { ListenersSnapshot } from '../aggregate/listeners.ts';
import type { Protocol } from './protocol.ts';
import type { EstimatedResults, Results } from './results.ts';

/** What was sampled inside of one network namespace: `results` has a key for each collector that succeeded. */
export type NamespaceSample = FullSample | EstimatedSample;

/** All of its sockets were read. */
export interface FullSample extends SampleBase {
  readonly detail: 'full';
  readonly results: Readonly<Partial<Results>>;
}

/** Only its listeners were read, and the kernel's counts: what those do not tell is estimated. */
export interface EstimatedSample extends SampleBase {
  readonly detail: 'estimated';
  readonly results: Readonly<Partial<EstimatedResults>>;
}

interface SampleBase {
  /** By bootTimeMs(): namespaces take turns. */
  readonly sampledAtMs: number;
  /** One of each collector that ran. */
  readonly outcomes: readonly CollectorOutcome[];
  /** Of the peak window; of an estimated sample those of the estimates. */
  readonly peaks: readonly Peak[];
}

/** What only a sample of all sockets has; none of it in an estimated one. */
export function fullResults(sample: NamespaceSample): Readonly<Partial<Results>> {
  return sample.detail === 'full' ? sample.results : NOTHING;
}

const NOTHING = {};

/** Who listens; of UDP nobody is known where sockets were not read. */
export function listenersOf(sample: NamespaceSample, protocol: Protocol): ListenersSnapshot | undefined {
  return protocol === 'tcp' ? sample.results.tcp?.listeners : fullResults(sample).udp?.listeners;
}

/**
 * Beside the collectors of sampling/collectors/. `enter`: entering the namespace; of the own one, finding the others.
 * `processes`: finding who holds the listening sockets, once for the whole host.
 */
export const HOST_COLLECTORS = ['enter', 'processes'] as const;

export type HostCollectorName = (typeof HOST_COLLECTORS)[number];
export type CollectorName = keyof Results | HostCollectorName;

export interface CollectorOutcome {
  readonly collector: CollectorName;
  /**
   * What is missing where it fails: numbers of the namespace, or only names, or the sight of other namespaces. The latter
   * is to be seen in port_exporter_sample_success, and no reason to call the exporter not ready.
   */
  readonly finds: 'numbers' | 'names';
  readonly seconds: number;
  /** One line; undefined where it succeeded. */
  readonly error: string | undefined;
}

export type Scope = 'connect' | 'bind';

/** The highest exhaustion ratio of one regime in the peak window. */
export interface Peak {
  readonly protocol: Protocol;
  readonly scope: Scope;
  readonly ratio: number;
}
