import type { Logger } from './base/logger.ts';
import { checkServingLimits } from './base/processLimits.ts';
import type { Invocation } from './cli/command.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import { exit, exitWithError } from './cli/exit.ts';
import { HangUps } from './cli/hangUps.ts';
import { openLog } from './cli/log.ts';
import type { Options } from './cli/options.ts';
import { print, show } from './cli/output.ts';
import { quietUnlessAsked } from './cli/quietUnlessAsked.ts';
import { Launcher } from './launcher/launcherClient.ts';
import { type Privileges, separatePrivileges } from './launcher/separatePrivileges.ts';
import { launchedSamplers, ownSamplers, type Samplers } from './supervisor/samplers.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

// A defect is one line, on a log that may not be read any more, and never a stack trace.
process.on('uncaughtException', exitWithError);
try {
  await invoke(await parseCommandLine(process.argv.slice(2), process.env));
} catch (error) {
  exitWithError(error);
}

async function invoke(invocation: Invocation): Promise<void> {
  switch (invocation.kind) {
    case 'print':
      return print(`${invocation.text}\n`);
    case 'query': {
      const { answer } = await import('./cli/answer.ts');
      const report = await answer(invocation.query);
      await show(report, invocation.query.asJson);
      process.exitCode = report.exitCode;
      return;
    }
    case 'report': {
      const report = await invocation.report();
      await show(report, invocation.asJson);
      // A lookup that hangs would be waited for.
      return exit(report.exitCode);
    }
    case 'watch':
      return exit(await invocation.watch());
    case 'once': {
      const { options } = invocation;
      // What takes samples is not for the process that serves, nor what renders for who asks.
      const { renderOnce } = await import('./once.ts');
      await print(await renderOnce(options, openLog(quietUnlessAsked(options))));
      // So would a probe that hangs.
      return exit(0);
    }
    case 'run':
      return run(invocation.options);
  }
}

/** The daemon, until a signal ends it. */
async function run(options: Options): Promise<void> {
  checkServingLimits();
  const privileges = separatePrivileges();
  const log = openLog(options.log);
  // Until there is something to reload it must not end the program either, which is what it does by default.
  const hangUps = new HangUps(log);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of END_SIGNALS) process.once(signal, resolve);
  });
  const samplers = openSamplers(privileges, log);
  // The commands that ask once do without the web and all that comes with it.
  const { startDaemon } = await import('./daemon.ts');
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
