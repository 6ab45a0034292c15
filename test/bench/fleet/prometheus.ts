import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseExposition, type Series } from '../../support/exposition.ts';
import { BenchError } from '../benchError.ts';

/** A Prometheus of its own, on a free port of the loopback, that ends with `end`. */
export class RunningPrometheus {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async started(config: string, args: readonly string[]): Promise<RunningPrometheus> {
    const port = await freePort();
    const flags = [
      `--config.file=${config}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
      ...args,
    ];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'prometheus', ...flags], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const prometheus = new RunningPrometheus(child, port);
    for (let tries = 0; ; tries++) {
      const isReady = await fetch(`http://127.0.0.1:${port}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return prometheus;
      if (tries > 300 || child.exitCode !== null)
        throw new BenchError('prometheus was not ready within a minute');
      await sleep(200);
    }
  }

  /** Bytes. */
  memory(): { now: number; peak: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const bytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
    return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
  }

  /** Its own metrics. */
  async metrics(): Promise<Series[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/metrics`);
    return parseExposition(await answer.text());
  }

  /** The result of a query, or of what else its API answers. */
  async ask(path: string, parameters: Record<string, string>, method = 'GET'): Promise<unknown> {
    const url = `http://127.0.0.1:${this.port}/api/v1/${path}?${new URLSearchParams(parameters)}`;
    const answer = (await (await fetch(url, { method })).json()) as {
      status: string;
      error?: string;
      data: unknown;
    };
    if (answer.status !== 'success') throw new BenchError(`${path} ${parameters['query']}: ${answer.error}`);
    return answer.data;
  }

  /** The value of a query that has one. */
  async value(query: string): Promise<number> {
    const { result } = (await this.ask('query', { query })) as { result: { value: [number, string] }[] };
    return Number(result[0]?.value[1] ?? Number.NaN);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** The sum of a metric over all its label values. */
export function sumOf(all: readonly Series[], metric: string): number {
  const values = all.filter(({ name }) => name === metric).map(({ value }) => value);
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new BenchError('no free port');
  return address.port;
}
