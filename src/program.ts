import type { Invocation } from './cli/command.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import { exit, exitWithError } from './cli/exit.ts';
import { print, show } from './cli/output.ts';

// A defect is one line, on a log that may not be read any more, and never a stack trace.
process.on('uncaughtException', exitWithError);
try {
  await invoke(await parseCommandLine(process.argv.slice(2), process.env));
} catch (error) {
  exitWithError(error);
}

/** What an invocation needs is loaded by it alone: who asks for the version waits for no library that serves. */
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
      const { renderOnce } = await import('./once.ts');
      await print(await renderOnce(invocation.options));
      // So would a probe that hangs.
      return exit(0);
    }
    case 'run': {
      const { serve } = await import('./serve.ts');
      return serve(invocation.options);
    }
  }
}
