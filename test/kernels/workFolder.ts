import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const project = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** Where kernels are kept, and a folder that goes when this process ends. */
export function newWorkFolder(): { readonly cache: string; readonly work: string } {
  const cache = join(project, '.cache/kernels');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'work-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
  return { cache, work };
}
