import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { monotonicMs } from '../kernel/clock.ts';
import { loadLibc } from '../kernel/libc.ts';
import type { SamplingState } from '../snapshot/samplingState.ts';
import { isFresh } from '../status/readiness.ts';
import type { RefusalState } from '../status/refusalLedger.ts';
import { createManager } from './manager.ts';
import type { Announcing } from './notifyCommand.ts';
import { openNotifySocket, type Send } from './notifySocket.ts';
import { statusOf } from './status.ts';
import { isNews, STATUS_CHECK_MS } from './statusNews.ts';
import { startWatchdog, watchdogPeriodMs } from './watchdog.ts';

/** This process as a service of systemd: what its manager is told. */
export interface Service {
  /** The first sample is there. From now on the status is kept up to date and the watchdog fed. */
  ready(): void;
  /** The process is about to end. */
  stopping(): void;
}

const noService: Service = { ready() {}, stopping() {} };

/** The service of NOTIFY_SOCKET in `environment`; without it, one that does nothing. */
export function createService(options: {
  readonly environment: NodeJS.ProcessEnv;
  readonly state: () => SamplingState;
  readonly refusals: () => RefusalState;
  readonly log: Logger;
  /** The command to announce by, and whether it may speak in the name of this process. */
  readonly announcing: Announcing;
}): Service {
  const { environment, state, refusals, log, announcing } = options;
  const statusNow = () => statusOf(state(), monotonicMs(), refusals());
  const path = environment['NOTIFY_SOCKET'] ?? '';
  if (path === '') return noService;
  const manager = createManager(openSocket(path, log), log, announcing);
  let status = statusNow();
  let saidAt = monotonicMs();
  let endWatchdog = () => {};
  let statusTimer: NodeJS.Timeout | undefined;
  let isStopping = false;

  async function announce(ready: boolean): Promise<void> {
    status = statusNow();
    saidAt = monotonicMs();
    await manager.announce({ ready, status: status.words });
  }
  /** The next look is after the last word was taken, so that words never overtake each other. */
  function lookAgainLater(): void {
    if (isStopping) return;
    statusTimer = setTimeout(async () => {
      if (isNews(statusNow(), status, monotonicMs() - saidAt)) await announce(false);
      lookAgainLater();
    }, STATUS_CHECK_MS);
  }
  return {
    ready() {
      void announce(true).then(lookAgainLater);
      const periodMs = watchdogPeriodMs(environment, process.pid);
      if (periodMs === undefined) return;
      endWatchdog = startWatchdog(
        periodMs,
        () => isFresh(state(), monotonicMs()),
        () => manager.keepAlive(),
      );
    },
    stopping() {
      isStopping = true;
      clearTimeout(statusTimer);
      endWatchdog();
      manager.stopping();
    },
  };
}

function openSocket(path: string, log: Logger): Send | undefined {
  try {
    return openNotifySocket(path, loadLibc());
  } catch (error) {
    log.warn('falling back to the command systemd-notify, a process for each watchdog keep-alive', {
      error: errorLine(error),
    });
    return undefined;
  }
}
