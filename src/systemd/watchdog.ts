/** sd_watchdog_enabled(3) asks for half of WatchdogSec at the latest; twice as often forgives one late timer. */
const KEEP_ALIVES_PER_TIMEOUT = 4;
/** Timers count in 31 bits of milliseconds; a longer one would fire at once. */
const LONGEST_PERIOD_MS = 24 * 60 * 60 * 1000;

/**
 * How often the service manager wants to hear from this process (WatchdogSec=), in milliseconds between two keep-alives;
 * undefined where it does not, or from another process (sd_watchdog_enabled(3)).
 */
export function watchdogPeriodMs(environment: NodeJS.ProcessEnv, ownPid: number): number | undefined {
  const { WATCHDOG_USEC: timeout = '', WATCHDOG_PID: pid } = environment;
  if (pid !== undefined && pid !== String(ownPid)) return undefined;
  const microseconds = /^\d{1,20}$/.test(timeout) ? Number(timeout) : 0;
  // USEC_INFINITY of systemd is 2^64 - 1.
  if (microseconds === 0 || microseconds >= 2 ** 63) return undefined;
  return Math.min(Math.max(1, microseconds / 1000 / KEEP_ALIVES_PER_TIMEOUT), LONGEST_PERIOD_MS);
}

/**
 * Keeps alive at once and every `periodMs` from now on, as long as `isAlive` at the time → what ends it. A process is not
 * kept alive that is frozen or busy for ever, or whose samples no longer arrive although its thread was replaced. The manager's own timeout and this timer both stand still while the
 * machine is suspended (CLOCK_MONOTONIC).
 */
export function startWatchdog(periodMs: number, isAlive: () => boolean, keepAlive: () => void): () => void {
  const check = () => {
    if (isAlive()) keepAlive();
  };
  check();
  const timer = setInterval(check, periodMs);
  return () => clearInterval(timer);
}
