import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BenchError } from '../benchError.ts';
import type { Capture } from './kinds.ts';

const SIMULATOR = fileURLToPath(new URL('./simulator.ts', import.meta.url));

/** A process that answers as that many hosts. */
export interface Fleet {
  readonly port: number;
  end(): void;
}

export async function serve(captures: readonly Capture[], hosts: number): Promise<Fleet> {
  const command = ['--pdeathsig', 'KILL', process.execPath, '--import', 'tsx', SIMULATOR, String(hosts)];
  const child = spawn('setpriv', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(captures));
  const [line] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const port = Number(String(line));
  if (!(port > 0) || child.exitCode !== null) throw new BenchError('the simulator ended');
  return { port, end: () => void child.kill('SIGKILL') };
}

/** One static configuration for each host. */
export function targets(port: number, from: number, to: number) {
  return Array.from({ length: to - from }, (_, nth) => ({
    targets: [`127.0.0.1:${port}`],
    labels: { __metrics_path__: `/host/${from + nth}`, instance: `host-${from + nth}.example.net:10069` },
  }));
}
