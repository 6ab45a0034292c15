import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { newDirectory } from './procfs.ts';

/** Debian's Prometheus with its data in a directory of the test, and ended with it. */
export class Prometheus {
  /** `127.0.0.1:9090` */
  readonly address: string;

  private constructor(address: string) {
    this.address = address;
  }

  /** @param config the text of its configuration file */
  static async started(config: string): Promise<Prometheus> {
    return new Prometheus(await listening('prometheus', config, '--storage.tsdb.path=data'));
  }

  /** `data` of what the HTTP API answers: `query?query=up`, `targets`, `rules`. */
  async ask<T>(what: string): Promise<T> {
    const answer = await fetch(`http://${this.address}/api/v1/${what}`);
    const { data } = (await answer.json()) as { data: T };
    return data;
  }
}

/** Starts a program of the Prometheus family in a directory of its own → its address. It ends with the test. */
export async function listening(
  program: string,
  config: string,
  ...flags: readonly string[]
): Promise<string> {
  const directory = newDirectory();
  writeFileSync(join(directory, 'config.yml'), config);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(program, ['--config.file=config.yml', `--web.listen-address=${address}`, ...flags], {
    cwd: directory,
    stdio: 'ignore',
  });
  onTestFinished(() => killed(child));
  return address;
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
