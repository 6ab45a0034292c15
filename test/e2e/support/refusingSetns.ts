import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newDirectory } from './procfs.ts';

/** A launcher: where the kernel refuses setns() whatever capabilities are held. Takes gcc. */
export function refusingSetns(): readonly string[] {
  const program = join(newDirectory(), 'refuseSetns');
  execFileSync('gcc', ['-o', program, fileURLToPath(new URL('./refuseSetns.c', import.meta.url))]);
  return [program];
}
