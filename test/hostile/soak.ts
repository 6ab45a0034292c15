/**
 * The built program for hours, among connections and network namespaces that come and go, scrapes, reloads and
 * interruptions: whether anything of it grows. In network, mount and process namespaces of its own, which leave nothing
 * behind; needs root. `npm run soak -- --hours 8`
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { quantile } from '../bench/statistics.ts';
import { get } from '../e2e/support/http.ts';
import { childrenOf } from '../e2e/support/processes.ts';
import { parseExposition } from '../support/exposition.ts';
import { Connections, Namespaces } from './soak/churn.ts';
import { parseSoakOptions, type SoakOptions } from './soak/options.ts';
import { usageOf } from './soak/processes.ts';
import { type Look, SoakRecord } from './soak/record.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PORT = 10_069;
/** Each second so many new connections, of which so many stay. */
const CONNECTIONS = { perSecond: 10, open: 200, servers: 20 };
const NAMESPACES = { everySeconds: 10, open: 4 };
const SCRAPE_EVERY_SECONDS = 5;
const RELOAD_EVERY_SECONDS = 60;
/** Stopped for less than what a supervisor takes for a hang, which would be a fault that is not looked for here. */
const STOP = { everySeconds: 120, seconds: 3 };
/** sysconf(_SC_CLK_TCK), on every architecture of Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
/** No answer is waited for longer, but for one to somebody who is stopped. */
const ANSWER_WITHIN_MS = 5000;

if (process.env['SOAK_INSIDE'] === undefined) process.exit(await goInside());
process.exit(await soak(parseSoakOptions(process.argv.slice(2), MAIN)));

/** This script in namespaces of its own → its exit code. */
async function goInside(): Promise<number> {
  parseSoakOptions(process.argv.slice(2), MAIN);
  const node = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...node],
    // A group of its own: Ctrl-C is for this process, which hands it on.
    { env: { ...process.env, SOAK_INSIDE: '1' }, stdio: 'inherit', detached: true },
  );
  // The script in there ends with its table; unshare(1) itself would take it down.
  const end = () => {
    for (const inside of childrenOf(child.pid ?? 0)) process.kill(inside, 'SIGTERM');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

async function soak({ minutes, everySeconds, main, csv }: SoakOptions): Promise<number> {
  execFileSync('sh', ['-c', 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns']);
  const faults: string[] = [];
  const fault = (what: string) => {
    faults.push(what);
    console.log(`${new Date().toISOString()} FAULT: ${what}`);
  };
  const daemon = spawn(
    process.execPath,
    [
      ...[main, `--web.listen-address=127.0.0.1:${PORT}`, '--namespaces=all', '--sample.interval=2s'],
      ...['--namespaces.full-dump-above=0', `--probe=tcp://127.0.0.1:${PORT}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const pid = daemon.pid ?? 0;
  let isEnding = false;
  let isStopped = false;
  daemon.once('exit', (code, signal) => {
    if (!isEnding) fault(`the daemon ended with ${code ?? signal}`);
  });
  createInterface(daemon.stderr).on('line', (line) => {
    if (/level=(warn|error)/.test(line)) console.log(line);
  });
  const connections = new Connections(CONNECTIONS.open);
  await connections.listen(CONNECTIONS.servers);
  const namespaces = new Namespaces();
  const record = new SoakRecord(csv);
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  let scrapes: number[] = [];
  let lags: number[] = [];
  let wasStopped = false;
  let ticks = 0;
  let lookedAt = 0;
  // As prom-client does.
  const ownLag = monitorEventLoopDelay({ resolution: 10 });
  ownLag.enable();

  async function scrape(): Promise<void> {
    const askedAt = performance.now();
    try {
      const answers = Promise.all(['/metrics', '/', '/-/ready'].map((path) => get(PORT, path)));
      const [metrics, , ready] = await Promise.race([answers, tooLate()]);
      if (metrics === undefined) throw new Error('no answer');
      if (isStopped) return;
      scrapes.push(performance.now() - askedAt);
      const lag = parseExposition(metrics.text).find(
        ({ name }) => name === 'nodejs_eventloop_lag_mean_seconds',
      );
      if (lag !== undefined) lags.push(1000 * lag.value);
      if (ready?.status !== 200 && !wasStopped && seconds() > 30) fault(`not ready: ${ready?.text.trim()}`);
    } catch (error) {
      if (!isStopped && !isEnding && seconds() > 30) fault(`scrape: ${error}`);
    }
  }

  async function interrupt(): Promise<void> {
    const pids = usageOf(pid)?.pids ?? [];
    const chosen = pids[Math.floor(Math.random() * pids.length)];
    if (chosen === undefined) return;
    [isStopped, wasStopped] = [true, true];
    try {
      process.kill(chosen, 'SIGSTOP');
      await sleep(STOP.seconds * 1000);
      process.kill(chosen, 'SIGCONT');
    } catch {
      // It ended, which is seen elsewhere where it matters.
    }
    await sleep(3000);
    isStopped = false;
  }

  function look(): void {
    const usage = usageOf(pid);
    const seen: Look = {
      'resident memory, MiB': usage?.ownMib,
      'resident memory of children, MiB': usage?.childrenMib,
      descriptors: usage?.ownFds,
      'descriptors of children': usage?.childrenFds,
      'CPU time, % of a core':
        usage && ((usage.ticks - ticks) * 100) / TICKS_PER_SECOND / (seconds() - lookedAt),
      // A machine that is busy with other things delays this process as well.
      'event loop lag beyond that of this script, ms':
        wasStopped || lags.length === 0 ? undefined : quantile(lags, 0.5) - ownLag.mean / 1e6,
      'fastest scrape, ms': wasStopped || scrapes.length === 0 ? undefined : Math.min(...scrapes),
      'deleted namespaces still alive': namespaces.held(),
    };
    record.add(seconds() / 3600, seen);
    [scrapes, lags, wasStopped] = [[], [], isStopped];
    [ticks, lookedAt] = [usage?.ticks ?? ticks, seconds()];
    ownLag.reset();
  }

  let isAsked = false;
  process.on('SIGTERM', () => {
    isAsked = true;
  });
  for (let second = 1; seconds() < minutes * 60 && !isAsked; second++) {
    const due = (every: number) => second % every === 0;
    await sleep(Math.max(0, second * 1000 - seconds() * 1000));
    connections.turn(CONNECTIONS.perSecond);
    if (due(NAMESPACES.everySeconds)) namespaces.turn(NAMESPACES.open);
    if (due(SCRAPE_EVERY_SECONDS)) void scrape();
    if (due(RELOAD_EVERY_SECONDS) && !isStopped) daemon.kill('SIGHUP');
    if (due(STOP.everySeconds)) void interrupt();
    if (due(everySeconds)) look();
    if (due(600))
      console.log(`${new Date().toISOString()} ${second / 60} minutes\n${record.verdict().table}`);
    if (daemon.exitCode !== null || daemon.signalCode !== null) break;
  }
  const ran = seconds();
  isEnding = true;
  daemon.kill('SIGTERM');
  const ended = await Promise.race([once(daemon, 'exit'), sleep(10_000, undefined)]);
  if (daemon.exitCode !== 0 || ended === undefined) fault(`SIGTERM: ended with ${ended}`);
  const { table, rising } = record.verdict();
  const cpu = ((ticks * 100) / TICKS_PER_SECOND / ran).toFixed(1);
  console.log(`${(ran / 60).toFixed(1)} minutes, ${cpu} % of a core, ${faults.length} faults\n${table}`);
  return rising.length === 0 && faults.length === 0 ? 0 : 1;
}

async function tooLate(): Promise<[]> {
  await sleep(ANSWER_WITHIN_MS);
  return [];
}
