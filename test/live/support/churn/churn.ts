import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** How many there were. */
export interface Churned {
  readonly connections: number;
  readonly namespaces: number;
}

/** Processes that make and close connections and namespaces as fast as they can. They end with the test. Takes gcc. */
export class Churn {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'port-exporter-churn-'));
    const program = join(directory, 'churn');
    execFileSync('gcc', ['-O1', '-o', program, join(import.meta.dirname, 'churn.c')]);
    this.#child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new TypeError('stdout is not a pipe');
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    onTestFinished(async () => {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
      rmSync(directory, { recursive: true });
    });
  }

  /** Since it was started. */
  async churned(): Promise<Churned> {
    this.#child.stdin?.write('\n');
    const { value } = await this.#answers.next();
    const [connections = Number.NaN, namespaces = Number.NaN] = String(value).split(' ').map(Number);
    return { connections, namespaces };
  }
}
