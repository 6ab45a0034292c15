import type { AssumedPorts } from '../aggregate/snatPorts.ts';
import type { Report } from '../reports/report.ts';
import type { RefusalReports } from '../sampling/refusalReports.ts';
import type { SamplingSession } from '../sampling/session.ts';
import type { SnatLayers } from '../sampling/snatLayers.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import type { Options } from './options.ts';
import type { Endpoint } from './values.ts';
import type { WholeNamespace } from './wholeNamespace.ts';

/** A question that samples, or probes, answer. */
export interface Query {
  readonly options: Pick<Options, 'sampling' | 'log'>;
  /** What `--netns` says. */
  readonly netns: string | undefined;
  /** It connects, which resolves names on other threads: then the whole program must be in the namespace. */
  readonly connects: boolean;
  readonly asJson: boolean;
  /** Throws an ExporterError where the kernel could not be asked. */
  readonly ask: (asked: Asked) => Report | Promise<Report>;
}

/** Network namespaces that answer: the own one, which `--netns` may have changed, or all. */
export interface Asked {
  readonly isAll: boolean;
  readonly session: SamplingSession;
  /**
   * Every namespace asked, in one new sample, the own one first. Throws an ExporterError where a number of that is
   * missing.
   */
  sample(): readonly [WholeNamespace, ...NamespaceSnapshot[]];
  /**
   * The kernel counts the refused calls of a sampled namespace from now on; undefined where it may or can not. Whoever asks
   * closes it.
   */
  countRefusals(netns: string): RefusalReports | undefined;
  /** A file to enter a sampled namespace by; undefined for the one that the shell is in, as far as one can know. */
  pathOf(netns: string): string | undefined;
  /** Which NATs, of all namespaces, translate TCP connections of one to a destination. */
  snatLayers(netns: string, destination: Endpoint, assumed: AssumedPorts): SnatLayers;
  /** Whatever is found in a sample of the other namespaces; a text: why they cannot be looked into. */
  lookElsewhere<T>(find: (namespaces: readonly WholeNamespace[]) => T): T | string;
}
