import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BenchError } from './benchError.ts';
import { heldMemory, peakMemory, peakMemoryOf } from './memory.ts';
import type { Namespace } from './namespace.ts';
import { Scraping } from './scraping.ts';

export interface DaemonRun {
  /** Of each request to /metrics. */
  readonly milliseconds: readonly number[];
  readonly samples: number;
  /** Bytes. */
  readonly peakMemory: number;
  /** Bytes, of the process that takes the samples. */
  readonly samplerMemory: number;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PORT = 10069;
/** Whatever else runs on the machine is left out. */
const BACK_TO_BACK = ['--namespaces=self', '--sample.interval=1ms', '--sample.max-duty=1'];
const FEWEST_SAMPLES = 20;
const FURTHER_REQUESTS = 100;
const LIMIT_MS = 180_000;

/** Six samples of the usual interval. */
const IDLE_MS = 30_000;

/** What the built exporter holds that does nothing but sample as it does by default, and is asked once, in bytes. */
export async function runIdleDaemon(namespace: Namespace, scrapeProgram: string): Promise<number> {
  const child = namespace.start(
    [
      process.execPath,
      MAIN,
      `--web.listen-address=127.0.0.1:${PORT}`,
      '--log.level=error',
      '--namespaces=self',
    ],
    ['ignore', 'ignore', 'inherit'],
  );
  const scraping = new Scraping(namespace, scrapeProgram, PORT);
  await scraping.waitFor('/-/ready');
  await scraping.get('/metrics', 1);
  await sleep(IDLE_MS);
  const held = heldMemory(child);
  child.kill('SIGTERM');
  return held;
}

/**
 * Runs the built exporter with samples back to back and scrapes it all the while: `requests` times over one connection,
 * and on until enough samples were seen.
 */
export async function runDaemon(
  namespace: Namespace,
  scrapeProgram: string,
  requests: number,
): Promise<DaemonRun> {
  const child = namespace.start(
    [process.execPath, MAIN, `--web.listen-address=127.0.0.1:${PORT}`, '--log.level=error', ...BACK_TO_BACK],
    ['ignore', 'ignore', 'inherit'],
  );
  const scraping = new Scraping(namespace, scrapeProgram, PORT);
  await scraping.waitFor('/-/ready');

  const first = await scraping.get('/metrics', requests);
  const milliseconds = [...first.milliseconds];
  let samples = first.samplesSeen;
  const deadline = performance.now() + LIMIT_MS;
  while (samples < FEWEST_SAMPLES) {
    if (performance.now() > deadline) throw new BenchError(`only ${samples} samples in ${LIMIT_MS / 1000} s`);
    const further = await scraping.get('/metrics', FURTHER_REQUESTS);
    milliseconds.push(...further.milliseconds);
    samples = further.samplesSeen;
  }
  const run = {
    ...{ milliseconds, samples, peakMemory: peakMemory(child) },
    samplerMemory: peakMemoryOf(child, 'sampler.js'),
  };
  child.kill('SIGTERM');
  return run;
}
