#!/usr/bin/env node
import './base/smallHeap.ts';
import { ExporterError, errorLine } from './base/errors.ts';
import { createLogger } from './base/logger.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import type { Options } from './cli/options.ts';
import { startDaemon } from './daemon.ts';
import { exitNow } from './kernel/libc.ts';
import { renderOnce } from './once.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

try {
  const invocation = await parseCommandLine(process.argv.slice(2), process.env);
  if (invocation.kind === 'print') await print(`${invocation.text}\n`);
  else await run(invocation.options);
} catch (error) {
  if (!(error instanceof ExporterError)) throw error;
  process.stderr.write(`port-exporter: ${errorLine(error)}\n`);
  end(1);
}

async function run(options: Options): Promise<void> {
  if (options.once) {
    const log = createLogger({
      ...options.log,
      level: options.log.level === 'info' ? 'warn' : options.log.level,
    });
    await print(await renderOnce(options, log));
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
  end(0);
}

/** Writes to stdout, which may be a full disk or a pipe that nobody reads any more. */
async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.once('error', (cause) => reject(new ExporterError('writing to stdout', { cause })));
    process.stdout.write(text, (error) => {
      // An error is told by the event, which would end the process if nobody listened.
      if (!error) resolve();
    });
  });
}

/** process.exit() joins every thread, and so waits for ever for one that hangs in a system call. */
function end(code: number): never {
  try {
    exitNow(code);
  } catch {
    // Without the FFI library that is all there is.
  }
  process.exit(code);
}
