import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { boot } from './boot.ts';
import { fetchKernel } from './fetchKernel.ts';
import { packInitramfs } from './initramfs.ts';
import { kernels } from './kernels.ts';
import { testCommand } from './testCommand.ts';
import { requireTools } from './tools.ts';

// The live tests again, under other kernels: npm run test:kernels -- [6.1|6.12] [vitest arguments]
const project = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const cache = join(project, '.cache/kernels');
const [first = '', ...rest] = process.argv.slice(2);
const chosen = kernels.filter((kernel) => kernel.version === first);
const vitestArguments = chosen.length > 0 ? rest : process.argv.slice(2);

requireTools();
mkdirSync(cache, { recursive: true });
const work = mkdtempSync(join(cache, 'work-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const closing: string[] = [];
for (const kernel of chosen.length > 0 ? chosen : kernels) {
  try {
    const unpacked = fetchKernel(kernel, cache, work);
    const initramfs = packInitramfs(unpacked, testCommand(project, vitestArguments), project, work);
    const result = await boot(unpacked, initramfs);
    closing.push(`kernel ${result.version}: ${result.summary}`);
    if (result.status !== 0) process.exitCode = 1;
  } catch (error) {
    closing.push(`kernel ${kernel.version}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
console.log(`\n${closing.join('\n')}`);
