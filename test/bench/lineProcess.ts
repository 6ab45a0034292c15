import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { BenchError } from './benchError.ts';

/** A running program that answers each line on its stdin with one line on its stdout. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess, name: string) {
    if (child.stdout === null) throw new TypeError(`${name}: stdout is not a pipe`);
    this.#child = child;
    this.#name = name;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ask(question: string): Promise<string> {
    this.#child.stdin?.write(`${question}\n`);
    return await this.nextLine();
  }

  async nextLine(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done) throw new BenchError(`${this.#name} ended before it answered`);
    return line.value;
  }
}
