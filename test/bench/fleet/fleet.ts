/**
 * What a fleet of exporters costs: series and bytes of a scrape by kind of host, one Prometheus that scrapes many simulated hosts,
 * and an agent that writes to another. Root, Debian's prometheus, minutes, and about 5 GB for each 1000 hosts.
 *
 *   npm run bench:fleet -- [--hosts 2000] [--interval 30] [--minutes 6] [--agent-hosts 100] [--dashboard NAME=FILE ...]
 *
 * Prints Markdown tables on stdout. Without hosts (0) that part is left out.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BenchError } from '../benchError.ts';
import { compile } from '../tools.ts';
import { runAgent } from './agent.ts';
import { capture } from './capture.ts';
import { type Capture, KINDS } from './kinds.ts';
import { agentTable, captureTables, runTables } from './report.ts';
import { runFleet } from './run.ts';

const DASHBOARD = fileURLToPath(new URL('../../../deploy/grafana/port-exporter.json', import.meta.url));

const stopped = new AbortController();
process.once('SIGINT', () => stopped.abort());
process.once('SIGTERM', () => stopped.abort());

try {
  await measure(options());
} catch (error) {
  if (!stopped.signal.aborted && !(error instanceof BenchError)) throw error;
  console.error(`bench: ${stopped.signal.aborted ? 'stopped' : (error as BenchError).message}`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
}

type Options = ReturnType<typeof options>;

async function measure({ hosts, interval, minutes, agentHosts, dashboards }: Options): Promise<void> {
  if (process.getuid?.() !== 0) throw new BenchError('needs root');
  const folder = await mkdtemp(path.join(tmpdir(), 'port-exporter-fleet-'));
  const newFolder = async (name: string) => {
    const made = path.join(folder, name);
    await mkdir(made);
    return made;
  };
  try {
    const pods = await compile('pods', folder);
    const captures: Capture[] = [];
    for (const { kind, name } of KINDS) {
      progress(`scraping a ${name}`);
      captures.push(await capture(kind, pods, stopped.signal));
    }
    console.log(captureTables(captures));
    if (hosts > 0) {
      progress(`one Prometheus and ${hosts} hosts for ${minutes} minutes`);
      const setup = { hosts, interval, minutes, dashboards };
      const run = await runFleet(captures, setup, await newFolder('run'), stopped.signal);
      console.log(`\n${runTables(run)}`);
    }
    if (agentHosts > 0) {
      progress(`an agent and ${agentHosts} hosts`);
      const setup = { hosts: agentHosts, interval, minutes: 2 };
      console.log(
        `\n${agentTable(await runAgent(captures, setup, await newFolder('agent'), stopped.signal))}`,
      );
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function options() {
  const { values } = parseArgs({
    options: {
      hosts: { type: 'string', default: '2000' },
      interval: { type: 'string', default: '30' },
      minutes: { type: 'string', default: '6' },
      'agent-hosts': { type: 'string', default: '100' },
      // Another one to compare with: --dashboard before=old.json
      dashboard: { type: 'string', multiple: true, default: [] },
    },
  });
  const interval = wholeNumber('--interval', values.interval);
  const minutes = wholeNumber('--minutes', values.minutes);
  if (minutes * 60 <= 2 * interval) throw new BenchError('--minutes must be more than two intervals');
  const others = Object.fromEntries(values.dashboard.map((text) => text.split('=', 2) as [string, string]));
  return {
    ...{ interval, minutes, dashboards: { ...others, deployed: DASHBOARD } },
    hosts: wholeNumber('--hosts', values.hosts),
    agentHosts: wholeNumber('--agent-hosts', values['agent-hosts']),
  };
}

function wholeNumber(name: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new BenchError(`${name} must be a whole number, not "${text}"`);
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
