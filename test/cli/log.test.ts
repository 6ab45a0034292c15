import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { LOG_FORMATS } from '../../src/base/logger.ts';

/** Runs a script that has `openLog` → what it wrote to stderr. */
function stderrOf(script: string): string {
  const log = JSON.stringify(new URL('../../src/cli/log.ts', import.meta.url).href);
  const stderr = JSON.stringify(new URL('../../src/kernel/stderr.ts', import.meta.url).href);
  const imports = `import { openLog } from ${log}; import { stderrLines } from ${stderr};`;
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', `${imports}${script}`];
  return spawnSync(process.execPath, flags, { encoding: 'utf8' }).stderr;
}

it('what is logged has been written to stderr before the process ends', () => {
  expect(
    stderrOf(`openLog({ level: 'info', format: 'logfmt' }).info('last words'); process.exit(0);`),
  ).toMatch(/^time=\S+ level=info msg="last words"\n$/);
});

it.each(LOG_FORMATS)('how many lines were dropped is said in %s, at any level', (format) => {
  const line = stderrOf(
    `openLog({ level: 'error', format: '${format}' }); stderrLines().write(stderrLines().tellDropped(3));`,
  );
  if (format === 'json') {
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', msg: 'log lines dropped', lines: 3 });
  } else expect(line).toMatch(/^time=\S+ level=warn msg="log lines dropped" lines=3\n$/);
});
