import type { Logger } from './base/logger.ts';
import { checkServingLimits } from './base/processLimits.ts';
import { exit } from './cli/exit.ts';
import { HangUps } from './cli/hangUps.ts';
import { openLog } from './cli/log.ts';
import type { Options } from './cli/options.ts';
import { startDaemon } from './daemon.ts';
import { Launcher } from './launcher/launcherClient.ts';
import { type Privileges, separatePrivileges } from './launcher/separatePrivileges.ts';
import { launchedSamplers, ownSamplers, type Samplers } from './supervisor/samplers.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** The daemon, until a signal ends it. */
export async function serve(options: Options): Promise<void> {
  checkServingLimits();
  const privileges = separatePrivileges();
  const log = openLog(options.log);
  // Until there is something to reload it must not end the program either, which is what it does by default.
  const hangUps = new HangUps(log);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of END_SIGNALS) process.once(signal, resolve);
  });
  const samplers = openSamplers(privileges, log);
  try {
    const daemon = await Promise.race([startDaemon(options, log, samplers), ended]);
    if (typeof daemon !== 'string') hangUps.reloadWith(() => daemon.reload());
    log.info('stopping', { signal: await ended });
    // A signal that comes while the first sample is still being taken leaves nothing else to stop.
    if (typeof daemon !== 'string') await daemon.stop();
  } finally {
    await samplers.end();
  }
  exit(0);
}

function openSamplers(privileges: Privileges, log: Logger): Samplers {
  const { launcher, kept } = privileges;
  if (kept !== undefined) log.warn('the process that serves keeps its capabilities', { error: kept });
  if (launcher === undefined) return ownSamplers();
  const onGone = () => {
    log.error('stopping', { reason: 'the launcher ended: nothing can be sampled any more' });
    exit(1);
  };
  return launchedSamplers(new Launcher(launcher, onGone));
}
