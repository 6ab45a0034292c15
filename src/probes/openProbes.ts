import { noFile, openLiveFile, type Reloaded } from '../base/liveFile.ts';
import type { Logger } from '../base/logger.ts';
import { Lookups } from './lookups.ts';
import { probe } from './probe.ts';
import { ProbeReporter } from './probeReporter.ts';
import { type ProbeResults, Prober } from './prober.ts';
import { Slots } from './slots.ts';
import type { ProbeTarget } from './target.ts';

export interface ProbeOptions {
  /** Called differently each. */
  readonly targets: readonly ProbeTarget[];
  /** Of more targets; undefined for none. */
  readonly file: string | undefined;
}

/** What there is to show, and what became of the file. The same object for as long as nothing changes. */
export interface ProbesState {
  readonly results: ProbeResults;
  /** Whether the file was good when it was last read; undefined without one. */
  readonly fileIsGood: boolean | undefined;
}

/** Where nobody asked for any. */
export const NO_PROBES: ProbesState = { results: { targets: 0, probed: [] }, fileIsGood: undefined };

export interface Probes {
  readonly state: ProbesState;
  /** Begins to probe at the intervals, and to follow the file. */
  start(): void;
  /** Probes each target once. */
  probeAll(): Promise<void>;
  /** Reads the file now. */
  reload(): Promise<Reloaded>;
  stop(): void;
}

/**
 * Connections on their way at a time. Each takes a descriptor and a local port until its timeout: enough for a dozen
 * targets a second that never answer, and far from what this process may open or a host would miss.
 */
const MOST_CONNECTIONS = 64;

/** Throws an ExporterError where the file is bad. */
export async function openProbes({ targets, file }: ProbeOptions, log: Logger): Promise<Probes> {
  const places = { lookups: new Lookups(), slots: new Slots(MOST_CONNECTIONS) };
  const prober = new Prober(
    (target) => probe(target, { timeoutMs: target.timeoutMs, longestWaitMs: target.intervalMs }, places),
    new ProbeReporter(log),
  );
  let fileIsGood = file === undefined ? undefined : true;
  let started = false;
  const names = targets.map(({ name }) => name);
  const live =
    file === undefined
      ? noFile<readonly ProbeTarget[]>([])
      : await openLiveFile<readonly ProbeTarget[]>({
          // Loaded only here: the libraries behind it take 10 MB.
          load: async (reader) => (await import('./probeFile.ts')).loadProbeFile(file, reader, names),
          taken(more) {
            fileIsGood = true;
            prober.setTargets([...targets, ...more]);
            if (started) prober.start();
            log.info('probe file reloaded', { file, targets: more.length });
          },
          refused(error) {
            fileIsGood = false;
            log.error('failed to reload probe file, keeping the previous one', { error });
          },
          failed: (error) => log.error('stopped watching the probe file', { error }),
        });
  prober.setTargets([...targets, ...live.current]);

  let state: ProbesState = { results: prober.results, fileIsGood };
  return {
    get state() {
      const { results } = prober;
      if (results !== state.results || fileIsGood !== state.fileIsGood) state = { results, fileIsGood };
      return state;
    },
    start() {
      started = true;
      prober.start();
    },
    probeAll: () => prober.probeAll(),
    reload: () => live.reload(),
    stop() {
      live.close();
      prober.stop();
    },
  };
}
