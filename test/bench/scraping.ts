import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from './benchError.ts';
import type { LineProcess } from './lineProcess.ts';
import type { Namespace } from './namespace.ts';

export interface Scrapes {
  readonly milliseconds: readonly number[];
  /** Different samples seen by this client since it started. */
  readonly samplesSeen: number;
}

const START_LIMIT_MS = 30_000;

/** The HTTP client scrape.c inside the namespace, for one port of 127.0.0.1. */
export class Scraping {
  readonly #client: LineProcess;
  readonly #port: number;

  constructor(namespace: Namespace, program: string, port: number) {
    this.#client = namespace.converse([program]);
    this.#port = port;
  }

  /** All over one connection. */
  async get(path: string, count: number): Promise<Scrapes> {
    const answer = await this.#ask(path, count);
    if (typeof answer === 'string') throw new BenchError(`GET ${path}: ${answer}`);
    return answer;
  }

  async waitFor(path: string): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      const answer = await this.#ask(path, 1);
      if (typeof answer !== 'string') return;
      if (performance.now() > deadline) {
        throw new BenchError(`GET ${path}: ${answer}, still after ${START_LIMIT_MS / 1000} s`);
      }
      await sleep(100);
    }
  }

  async #ask(path: string, count: number): Promise<Scrapes | string> {
    return JSON.parse(await this.#client.ask(`${count} ${this.#port} ${path}`)) as Scrapes | string;
  }
}
