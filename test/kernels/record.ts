import { execFileSync } from 'node:child_process';
import { release } from 'node:os';
import { join } from 'node:path';
import { boot } from './boot.ts';
import { fetchKernel } from './fetchKernel.ts';
import { packInitramfs } from './initramfs.ts';
import { kernels } from './kernels.ts';
import { RecordingReader } from './recordings.ts';
import { scriptCommand } from './testCommand.ts';
import { requireTools } from './tools.ts';
import { newWorkFolder, project } from './workFolder.ts';

// What test/kernels/recordings.test.ts replays, recorded anew: npm run record:kernels -- [6.1|6.12|6.18|7.3]... The kernel
// of this machine records itself, those of kernels.ts in the emulator.
const recorded = ['6.1', '6.12', '6.18', '7.3'];
const given = process.argv.slice(2);
const script = 'test/kernels/recordState.ts';

requireTools();
const { cache, work } = newWorkFolder();
for (const version of given.length > 0 ? given : recorded) {
  try {
    console.log(`kernel ${version}: recorded, ${await record(version)} bytes`);
  } catch (error) {
    console.log(`kernel ${version}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
const vitest = [join(project, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'test/vitest.config.ts'];
try {
  // What they come to is written anew with them: to be read, as any other change.
  execFileSync(process.execPath, [...vitest, 'test/kernels/recordings.test.ts'], {
    cwd: project,
    env: { ...process.env, UPDATE_GOLDEN: '1' },
    stdio: 'inherit',
  });
} catch {
  process.exitCode = 1;
}

async function record(version: string): Promise<number> {
  const reader = new RecordingReader();
  const kernel = kernels.find((known) => known.version === version);
  if (release().startsWith(`${version}.`)) {
    const printed = execFileSync('sh', ['-c', scriptCommand(project, script)], { encoding: 'utf8' });
    for (const line of printed.split('\n')) reader.take(line);
  } else if (kernel === undefined) {
    throw new Error(`this machine runs ${release()}, and no Debian release has it for the emulator`);
  } else {
    const unpacked = fetchKernel(kernel, cache, work);
    const initramfs = packInitramfs(unpacked, scriptCommand(project, script), project, work);
    const { status } = await boot(unpacked, initramfs, (line) => reader.take(line));
    if (status !== 0) throw new Error(`not recorded, exit status ${status}`);
  }
  return reader.save(version);
}
