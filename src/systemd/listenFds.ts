import { ExporterError } from '../base/errors.ts';

/** SD_LISTEN_FDS_START of systemd/sd-daemon.h: the first descriptor after those of stdin, stdout and stderr. */
const FIRST_FD = 3;
const VARIABLES = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES'];
/** More than any socket unit lists; a count that is not one must not become a loop. */
const MOST_FDS = 1024;

/**
 * The sockets a service manager handed to this process, as file descriptors in the order of the unit's `ListenStream=`
 * (sd_listen_fds(3)). What says so is taken out of `environment`, so that no child takes them for its own. Throws an
 * ExporterError where there are none.
 */
export function takeListenFds(environment: NodeJS.ProcessEnv, ownPid: number): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment;
  for (const name of VARIABLES) delete environment[name];
  if (pid === undefined || count === undefined) {
    throw none('LISTEN_PID and LISTEN_FDS are not set: expected to be started by a socket unit');
  }
  if (pid !== String(ownPid)) {
    throw none(`LISTEN_PID is ${JSON.stringify(pid)}: expected ${ownPid}, this process`);
  }
  const fds = /^\d{1,4}$/.test(count) ? Number(count) : 0;
  if (fds < 1 || fds > MOST_FDS) {
    throw none(`LISTEN_FDS is ${JSON.stringify(count)}: expected a number from 1 to ${MOST_FDS}`);
  }
  return Array.from({ length: fds }, (_, index) => FIRST_FD + index);
}

function none(why: string): ExporterError {
  return new ExporterError(`--web.systemd-socket: no sockets passed by systemd: ${why}`);
}
