import { boot } from './boot.ts';
import { fetchKernel } from './fetchKernel.ts';
import { packInitramfs } from './initramfs.ts';
import { kernels } from './kernels.ts';
import { testCommand } from './testCommand.ts';
import { requireTools } from './tools.ts';
import { newWorkFolder, project } from './workFolder.ts';

// The live tests again, under other kernels: npm run test:kernels -- [6.1|6.12|7.3] [vitest arguments]
const [first = '', ...rest] = process.argv.slice(2);
const chosen = kernels.filter((kernel) => kernel.version === first);
const vitestArguments = chosen.length > 0 ? rest : process.argv.slice(2);

requireTools();
const { cache, work } = newWorkFolder();

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
