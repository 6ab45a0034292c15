import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Daemon } from '../e2e/support/program.ts';
import { SLOWNESS } from '../live/support/kernel.ts';

const DAY_MS = 24 * 3_600_000;

/** A daemon whose clock somebody sets as soon as its first sample is there. */
async function setBy(byMs: number): Promise<Daemon> {
  const file = join(newDirectory(), 'set.mjs');
  writeFileSync(
    file,
    `const now = Date.now;
     const setAt = now() + 4000;
     Date.now = () => now() + (now() < setAt ? 0 : ${byMs});`,
  );
  return Daemon.started(['--sample.interval=200ms'], { nodeFlags: ['--import', file] });
}

it.each([
  ['forward', DAY_MS],
  ['back', -DAY_MS],
])('a clock that is set %s by a day leaves the exporter ready', async (_, byMs) => {
  const daemon = await setBy(byMs);
  const date = async () => {
    const { text } = await daemon.get('/metrics');
    return Number(/^port_exporter_sample_timestamp_seconds (\S+)$/m.exec(text)?.[1]) * 1000;
  };
  const isSet = async () => Math.sign((await date()) - Date.now() - byMs / 2) === Math.sign(byMs);
  const until = performance.now() + 20_000 * SLOWNESS;
  while (!(await isSet()) && performance.now() < until) {
    expect((await daemon.get('/-/ready')).text).toMatch(/^the last sample is [\w]+ old\n$/);
    expect((await daemon.get('/-/ready')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await isSet()).toBe(true);
  expect((await daemon.get('/-/ready')).status).toBe(200);
  expect(daemon.lines.filter((line) => /level=(warn|error)/.test(line))).toEqual([]);
  await daemon.end('SIGTERM');
});
