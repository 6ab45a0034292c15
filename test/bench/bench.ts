/**
 * How fast, how small and how steady the exporter is on a huge socket table, measured beside its peers in one run.
 *
 *   npm run bench -- [--sockets 400000] [--rounds 7] [--requests 2000] [--pods 200]
 *                    [--tracked 200000] [--only nat]
 *
 * Prints a Markdown table on stdout. A missed target is a result (exit code 0), only a failure to measure is an error.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { BenchError } from './benchError.ts';
import { buildParts } from './built.ts';
import { runCommands } from './commands.ts';
import { runConnects } from './connects.ts';
import {
  cat,
  nodeExporter,
  receiveOnly,
  sample,
  sampleOverNetlink,
  sampleWithoutOwners,
  ss,
} from './contenders.ts';
import { runDaemon, runIdleDaemon } from './daemon.ts';
import { type Namespace, type Population, withNamespace } from './namespace.ts';
import { type NatRun, runNat } from './nat.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { runPods } from './pods.ts';
import { type Results, report, reportNat } from './report.ts';
import { runRounds } from './rounds.ts';
import { compile, requireTools } from './tools.ts';

const FEW_SOCKETS = 1000;
const LISTENERS = 10_000;
const COMMAND_SOCKETS = 20_000;

const stopped = new AbortController();
process.once('SIGINT', () => stopped.abort());
process.once('SIGTERM', () => stopped.abort());

try {
  const options = parseOptions(process.argv.slice(2));
  requireTools();
  await buildParts();
  const folder = await mkdtemp(path.join(tmpdir(), 'port-exporter-bench-'));
  try {
    console.log(await measured(options, folder));
  } finally {
    await rm(folder, { recursive: true });
  }
} catch (error) {
  if (!stopped.signal.aborted && !(error instanceof BenchError)) throw error;
  console.error(`bench: ${stopped.signal.aborted ? 'stopped' : (error as BenchError).message}`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
}

async function measured(options: BenchOptions, folder: string): Promise<string> {
  const [loadAverage = Number.NaN] = loadavg();
  const nat = await measureNat(options, folder);
  if (options.only === 'nat') return reportNat(nat, { rounds: options.rounds, loadAverage });
  return report({ ...(await measureSockets(options, folder)), loadAverage, nat });
}

async function measureNat(options: BenchOptions, folder: string): Promise<NatRun> {
  const population = await compile('population', folder);
  const programs = {
    track: await compile('track', folder),
    receive: await compile('receive', folder),
    pods: await compile('pods', folder),
    scrape: await compile('scrape', folder),
  };
  progress(`tracking ${options.tracked} connections`);
  return withNamespace(population, { sockets: FEW_SOCKETS }, stopped.signal, (namespace) =>
    runNat(namespace, programs, { ...options, entries: options.tracked }),
  );
}

async function measureSockets(
  { sockets, rounds, requests, pods }: BenchOptions,
  folder: string,
): Promise<Omit<Results, 'loadAverage' | 'nat'>> {
  const population = await compile('population', folder);
  const receiveProgram = await compile('receive', folder);
  const scrapeProgram = await compile('scrape', folder);
  const podsProgram = await compile('pods', folder);
  const connectsProgram = await compile('connects', folder);

  function populated<T>(what: Population, use: (namespace: Namespace) => Promise<T>): Promise<T> {
    for (const [kind, count] of Object.entries(what)) progress(`making ${count} ${kind}`);
    return withNamespace(population, what, stopped.signal, use);
  }
  async function timeAlone(namespace: Namespace) {
    progress('timing samples');
    const contenders = [sample(namespace), receiveOnly(namespace, receiveProgram)];
    return { sockets: namespace.sockets, timings: await runRounds(contenders, rounds) };
  }
  function daemon(namespace: Namespace) {
    progress('running the exporter with samples back to back');
    return runDaemon(namespace, scrapeProgram, requests);
  }

  progress('running the exporter with little to do');
  const idleMemory = await populated({ sockets: FEW_SOCKETS }, (namespace) =>
    runIdleDaemon(namespace, scrapeProgram),
  );
  const daemonOfFew = await populated({ sockets: FEW_SOCKETS }, daemon);
  progress('timing commands');
  const commands = await populated({ sockets: COMMAND_SOCKETS }, (namespace) =>
    runCommands(namespace, rounds),
  );
  const listening = await populated({ listeners: LISTENERS }, async (namespace) => ({
    ...(await timeAlone(namespace)),
    daemon: await daemon(namespace),
  }));
  progress('timing connections');
  const connects = await populated({ sockets: FEW_SOCKETS }, (namespace) =>
    runConnects(namespace, connectsProgram),
  );
  const quarter = await populated({ sockets: Math.round(sockets / 4) }, timeAlone);
  const half = await populated({ sockets: Math.round(sockets / 2) }, timeAlone);
  return await populated({ sockets }, async (namespace) => {
    const scales = [quarter, half, await timeAlone(namespace)];
    progress('timing all contenders');
    const contenders = [
      sample(namespace),
      sampleOverNetlink(namespace),
      sampleWithoutOwners(namespace),
      receiveOnly(namespace, receiveProgram),
      ss(namespace),
      await nodeExporter(namespace, scrapeProgram),
      cat(namespace),
    ];
    const contest = await runRounds(contenders, rounds);
    const peers = contenders.flatMap(({ name, peakMemory }) =>
      peakMemory ? [{ name, bytes: peakMemory() }] : [],
    );
    const daemonOfMany = await daemon(namespace);
    progress(`timing samples of ${pods} namespaces beside it`);
    const podsRun = await runPods(namespace, podsProgram, pods, rounds);
    return {
      rounds,
      sockets: namespace.sockets,
      fewSockets: FEW_SOCKETS,
      contest,
      listening,
      scales,
      peers,
      idleMemory,
      daemonOfFew,
      commandSockets: COMMAND_SOCKETS,
      commands,
      daemonOfMany,
      podsRun,
      connects,
    };
  });
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
