import { EventEmitter } from 'node:events';
import { vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import type { CollectorOutcome, Snapshot } from '../../src/snapshot/snapshot.ts';
import type { WorkerMessage } from '../../src/snapshot/workerMessage.ts';
import type { SamplingThread } from '../../src/supervisor/supervisor.ts';

/** A sampling thread that says what the test tells it to. */
export class FakeThread extends EventEmitter implements SamplingThread {
  readonly terminate = vi.fn(async () => 1);

  say(message: WorkerMessage): void {
    this.emit('message', message);
  }

  /** One sample, and the next is due within 10 s. */
  sample(snapshot = snapshotOf()): void {
    this.say({ kind: 'sampled', nextWithinMs: 10_000, snapshot });
  }
}

/** A snapshot in which nothing but the collectors is of interest. */
export function snapshotOf(
  outcomes: Readonly<Record<string, string | undefined>> = { range: undefined, tcp: undefined },
  changes: Partial<Snapshot> = {},
): Snapshot {
  const collectors = Object.entries(outcomes).map(
    ([collector, error]) => ({ collector, seconds: 0, error }) as CollectorOutcome,
  );
  return {
    timestampMs: 0,
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
        bounds: undefined,
        collectors,
        range: undefined,
        tcp: undefined,
        udp: undefined,
        peaks: [],
        listeners: [],
        owners: { tcp: undefined, udp: undefined },
        canary: [],
      },
    ],
    namespacesFound: 1,
    namespacesOmitted: 0,
    ...changes,
  };
}

/** A logger that keeps its lines: level, message, fields. */
export function recordingLogger(): { log: Logger; lines: (readonly [string, string, unknown])[] } {
  const lines: (readonly [string, string, unknown])[] = [];
  const at = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    lines.push([level, message, fields]);
  };
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}
