import { EventEmitter } from 'node:events';
import { vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import type { CollectorName, CollectorOutcome } from '../../src/snapshot/sample.ts';
import type { SamplerMessage, SamplerUsage } from '../../src/snapshot/samplerMessage.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { SamplerEvents, SamplerProcess } from '../../src/supervisor/samplerProcess.ts';

export const USAGE: SamplerUsage = { cpuSeconds: 1.5, residentBytes: 50_000_000, descriptors: 20 };

/** A sampler that says what the test tells it to. */
export class FakeSampler extends EventEmitter<SamplerEvents> implements SamplerProcess {
  readonly kill = vi.fn();
  readonly cpuUse = vi.fn<SamplerProcess['cpuUse']>(() => ({ isRunnable: false, milliseconds: 0 }));

  say(message: SamplerMessage): void {
    this.emit('message', message);
  }

  /** One sample, and the next is due within 10 s. */
  sample(snapshot = snapshotOf()): void {
    this.say({ kind: 'sampled', nextWithinMs: 10_000, snapshot, usage: USAGE });
  }
}

/** A snapshot in which nothing but the collectors is of interest. */
export function snapshotOf(
  errors: Readonly<Record<string, string | undefined>> = { range: undefined, tcp: undefined },
  changes: Partial<Snapshot> = {},
): Snapshot {
  const outcomes = Object.entries(errors).map(([collector, error]) => outcomeOf(collector, error));
  return {
    timestampMs: 0,
    completedAtMs: 0,
    durationSeconds: 0.01,
    intervalSeconds: 5,
    configuredIntervalSeconds: 5,
    source: 'netlink',
    namespaces: [
      {
        netns: 'host',
        identity: { netns: 'host', inode: 1, process: '', container: '', podUid: '' },
        detail: 'full',
        sampledAtMs: 0,
        outcomes,
        results: {},
        peaks: [],
        listeners: [],
      },
    ],
    namespacesFound: 1,
    namespacesOmitted: 0,
    unlistedConnections: undefined,
    ...changes,
  };
}

const NAMES = ['enter', 'owners', 'processes'];

/** What a collector says of itself; undefined: it succeeded. */
function outcomeOf(collector: string, error: string | undefined): CollectorOutcome {
  const finds = NAMES.includes(collector) ? 'names' : 'numbers';
  return { collector, finds, seconds: 0, error } as CollectorOutcome;
}

/** What each collector failed with; undefined: it succeeded. */
export type FailuresByCollector = Partial<Record<CollectorName, string | undefined>>;

/** Namespaces by name, the own one first, with what their collectors failed with. */
export function namespacesOf(namespaces: Readonly<Record<string, FailuresByCollector>>): Snapshot {
  return {
    namespaces: Object.entries(namespaces).map(([netns, outcomes]) => ({
      netns,
      outcomes: Object.entries(outcomes).map(([collector, error]) => outcomeOf(collector, error)),
    })),
  } as unknown as Snapshot;
}

/** A logger that keeps its lines: level, message, fields. Those of debugging only where they are asked for. */
export function recordingLogger(isDebugging = false): {
  log: Logger;
  lines: (readonly [string, string, unknown])[];
} {
  const lines: (readonly [string, string, unknown])[] = [];
  const at = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    lines.push([level, message, fields]);
  };
  return {
    log: {
      debug: isDebugging ? at('debug') : () => {},
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
    },
    lines,
  };
}
