import { execFile } from 'node:child_process';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Announcement, Announcing } from './notifyCommand.ts';
import type { Send } from './notifySocket.ts';

export interface Manager {
  /** Sets the status, and says READY. Waits until it was taken; never rejects. */
  announce(announcement: Announcement): Promise<void>;
  /** Says that this process lives. */
  keepAlive(): void;
  /** Says that this process ends. */
  stopping(): void;
}

/**
 * The ways to the service manager. READY and status go through the package systemd-notify. Its command is heard as this process only
 * where it may vouch for that: where it may not (`mayVouch`), is missing or fails, they are datagrams too. Keep-alives, which it cannot send, are datagrams; only where `send` is undefined, because the
 * FFI library is missing, each of them is a process: without any the manager would kill a healthy exporter.
 */
export function createManager(
  send: Send | undefined,
  log: Logger,
  { command, mayVouch }: Announcing,
): Manager {
  let isCommandUsable = true;
  /** What cannot be done is said once, until it could be done again. */
  const refused = new Set<string>();

  function settle(what: string, error: unknown): void {
    if (error === undefined) refused.delete(what);
    else if (!refused.has(what)) {
      refused.add(what);
      log.warn(`failed to notify the service manager: ${what}`, { error: lineOf(error) });
    }
  }
  function tell(what: string, state: string): void {
    try {
      send?.(state);
      settle(what, undefined);
    } catch (error) {
      settle(what, error);
    }
  }
  return {
    async announce({ ready = false, status }) {
      if (isCommandUsable) {
        try {
          await command({ ready, status });
          if (mayVouch) return;
        } catch (error) {
          isCommandUsable = false;
          settle('the command systemd-notify', error);
        }
      }
      tell('status', `${ready ? 'READY=1\n' : ''}STATUS=${status}`);
    },
    keepAlive() {
      if (send !== undefined) tell('watchdog', 'WATCHDOG=1');
      else {
        execFile('systemd-notify', [`--pid=${process.pid}`, 'WATCHDOG=1'], (error) =>
          settle('watchdog', error ?? undefined),
        );
      }
    },
    stopping: () => tell('stopping', 'STOPPING=1\nSTATUS=stopping'),
  };
}

/** The package rejects with what the command wrote, be it nothing. */
function lineOf(error: unknown): string {
  return errorLine(error).replaceAll(/\s*\n\s*/g, ' ') || 'no output';
}
