#!/usr/bin/env node
import './base/noInspector.ts';
import './base/v8Flags.ts';
import { createLogger } from './base/logger.ts';
import { answer, quietUnlessAsked } from './cli/answer.ts';
import type { Invocation } from './cli/command.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import { exit, exitWithError } from './cli/exit.ts';
import { HangUps } from './cli/hangUps.ts';
import type { Options } from './cli/options.ts';
import { print, show } from './cli/output.ts';
import { renderOnce } from './once.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

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
    case 'once': {
      const { options } = invocation;
      await print(await renderOnce(options, createLogger(quietUnlessAsked(options))));
      // So would a probe that hangs.
      return exit(0);
    }
    case 'run':
      return run(invocation.options);
  }
}

/** The daemon, until a signal ends it. */
async function run(options: Options): Promise<void> {
  const log = createLogger(options.log);
  // Until there is something to reload it must not end the program either, which is what it does by default.
  const hangUps = new HangUps(log);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of END_SIGNALS) process.once(signal, resolve);
  });
  // The commands that ask once do without the web and all that comes with it.
  const { startDaemon } = await import('./daemon.ts');
  const daemon = await Promise.race([startDaemon(options, log), ended]);
  if (typeof daemon !== 'string') hangUps.reloadWith(() => daemon.reload());
  log.info('stopping', { signal: await ended });
  // A signal that comes while the first sample is still being taken leaves nothing to stop.
  if (typeof daemon !== 'string') await daemon.stop();
  exit(0);
}
