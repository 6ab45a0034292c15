import type { Logger } from '../base/logger.ts';
import { ownNamespace } from '../namespaces/ownNamespace.ts';
import { chooseSource } from '../sockets/chooseSource.ts';
import { NamespaceSampler } from './namespaceSampler.ts';
import type { SamplerSettings } from './settings.ts';
import type { Snapshot } from './snapshot.ts';

/** Takes samples on the calling thread. */
export interface Rounds {
  /** One whole sample, synchronously. Failures of collectors are in it; anything thrown is a defect. */
  sample(): Snapshot;
  close(): void;
}

/** Opens what sampling needs. Throws an ExporterError where nothing can be sampled. */
export function openRounds(settings: SamplerSettings, log: Logger): Rounds {
  const netns = ownNamespace(settings.procfs);
  const source = chooseSource(settings.source, settings.procfs, log);
  const namespace = new NamespaceSampler(netns, source, settings);
  return {
    sample() {
      const startedAt = performance.now();
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
    close: () => source.close(),
  };
}

/** The interval, stretched so that a sample of this cost takes no more than `maxDuty` of it. */
export function guardedIntervalMs(
  { intervalMs, maxDuty }: Pick<SamplerSettings, 'intervalMs' | 'maxDuty'>,
  durationMs: number,
): number {
  return Math.max(intervalMs, durationMs / maxDuty);
}
