// Preloaded into the program under test: says on stderr which of its own files it loads.
import { writeSync } from 'node:fs';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

// Hooks run on a thread of their own, which imports this file again.
if (isMainThread) register(import.meta.url);

export async function load(url, context, nextLoad) {
  if (url.startsWith('file:')) writeSync(2, `loaded ${url.split('/').at(-1)}\n`);
  return await nextLoad(url, context);
}
