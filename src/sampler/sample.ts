import type { Destination } from '../aggregate/destinations.ts';
import type { Logger } from '../base/logger.ts';
import { readPortSysctls } from '../kernel/sysctl.ts';
import { ownNamespace } from '../namespaces/ownNamespace.ts';
import { chooseSource } from '../sockets/chooseSource.ts';
import type { NamedHolders } from './namedHolders.ts';
import { NamespaceSampler } from './namespaceSampler.ts';
import { Ownership } from './ownership.ts';
import type { SamplerSettings } from './settings.ts';
import type { Snapshot } from './snapshot.ts';

/** Takes samples on the calling thread. */
export interface Rounds {
  /** One whole sample, synchronously. Failures of collectors are in it; anything thrown is a defect. */
  sample(): Snapshot;
  /**
   * Who holds the ports of these destinations of the last sample, in their order: one more walk of the connections.
   * Throws an ExporterError where it failed.
   */
  holdersOf(destinations: readonly Destination[]): NamedHolders[];
  close(): void;
}

/** Opens what sampling needs. Throws an ExporterError where nothing can be sampled. */
export function openRounds(settings: SamplerSettings, log: Logger): Rounds {
  const netns = ownNamespace(settings.procfs);
  // A range that cannot be read now will not be readable later: a wrong --path.procfs, or no proc at all.
  readPortSysctls(settings.procfs);
  const source = chooseSource(settings.source, settings.procfs, log);
  const ownership = new Ownership(settings, source.seesCgroups, log);
  const namespace = new NamespaceSampler(netns, source, settings, ownership);
  return {
    sample() {
      const startedAt = performance.now();
      ownership.beginRound();
      const sampled = namespace.sample();
      const durationMs = performance.now() - startedAt;
      return {
        timestampMs: Date.now(),
        durationSeconds: durationMs / 1000,
        intervalSeconds: guardedIntervalMs(settings, durationMs) / 1000,
        source: source.kind,
        namespaces: [sampled],
      };
    },
    holdersOf: (destinations) => namespace.holdersOf(destinations),
    close() {
      ownership.close();
      source.close();
    },
  };
}

/** Timers count in 31 bits of milliseconds; a longer one would fire at once. */
const LONGEST_INTERVAL_MS = 24 * 60 * 60 * 1000;

/** The interval, stretched so that a sample of this cost takes no more than `maxDuty` of it, up to a day. */
export function guardedIntervalMs(
  { intervalMs, maxDuty }: Pick<SamplerSettings, 'intervalMs' | 'maxDuty'>,
  durationMs: number,
): number {
  return Math.min(Math.max(intervalMs, durationMs / maxDuty), LONGEST_INTERVAL_MS);
}
