import type { Report } from '../reports/report.ts';
import type { Rounds } from '../sampler/sample.ts';
import type { Options } from './options.ts';

/** A question that samples, or probes, answer. */
export interface Query {
  readonly options: Options;
  readonly asJson: boolean;
  /** Throws an ExporterError where the kernel could not be asked. */
  readonly ask: (rounds: Rounds) => Report | Promise<Report>;
}
