#!/usr/bin/env node
import { ExporterError, errorLine } from './base/errors.ts';
import { createLogger } from './base/logger.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import type { Options } from './cli/options.ts';
import { startDaemon } from './daemon.ts';
import { renderOnce } from './once.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

try {
  const invocation = await parseCommandLine(process.argv.slice(2), process.env);
  if (invocation.kind === 'print') process.stdout.write(`${invocation.text}\n`);
  else await run(invocation.options);
} catch (error) {
  if (!(error instanceof ExporterError)) throw error;
  process.stderr.write(`port-exporter: ${errorLine(error)}\n`);
  process.exit(1);
}

async function run(options: Options): Promise<void> {
  if (options.once) {
    const log = createLogger({
      ...options.log,
      level: options.log.level === 'info' ? 'warn' : options.log.level,
    });
    process.stdout.write(await renderOnce(options, log));
    return;
  }
  const log = createLogger(options.log);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of END_SIGNALS) process.once(signal, resolve);
  });
  const daemon = await Promise.race([startDaemon(options, log), ended]);
  log.info('stopping', { signal: await ended });
  // A signal that comes while the first sample is still being taken leaves nothing to stop.
  if (typeof daemon !== 'string') await daemon.stop();
  // A sampling thread that hangs in a system call would keep the process.
  process.exit();
}
