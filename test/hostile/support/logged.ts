import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished, vi } from 'vitest';
import { get } from '../../e2e/support/http.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { parseExposition } from '../../support/exposition.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** The built program with a stderr of the test's choice. It ends with the test. */
export class Logged {
  readonly child: ChildProcess;
  readonly #port: number;
  readonly #ended: Promise<unknown[]>;

  private constructor(child: ChildProcess, port: number) {
    this.child = child;
    this.#port = port;
    this.#ended = once(child, 'exit');
    onTestFinished(() => void child.kill('SIGKILL'));
  }

  static run(args: readonly string[], stderr: number | 'pipe', { uid, port = 0 }: Settings = {}): Logged {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { PORT_EXPORTER_PROCESSES_BUDGET: '0', PORT_EXPORTER_NAMESPACES: 'self' },
      stdio: ['ignore', 'ignore', stderr],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    return new Logged(child, port);
  }

  /** One that serves and is ready. */
  static async started(
    args: readonly string[],
    stderr: number | 'pipe',
    settings: Settings = {},
  ): Promise<Logged> {
    const port = await freePort();
    const logged = Logged.run([`--web.listen-address=127.0.0.1:${port}`, ...args], stderr, {
      ...settings,
      port,
    });
    await logged.until(async () => (await get(port, '/-/ready')).status === 200);
    return logged;
  }

  async dropped(): Promise<number> {
    const { text } = await get(this.#port, '/metrics');
    const series = parseExposition(text).find(({ name }) => name === 'port_exporter_log_lines_dropped_total');
    return series?.value ?? Number.NaN;
  }

  async isReady(): Promise<boolean> {
    return (await get(this.#port, '/-/ready')).status === 200;
  }

  async until(isSo: () => Promise<boolean>): Promise<void> {
    await vi.waitFor(
      async () => {
        if (!(await isSo())) throw new Error('not yet');
      },
      { timeout: 50_000 * SLOWNESS, interval: 50 },
    );
  }

  async end(signal?: NodeJS.Signals): Promise<{ code: unknown; tookMs: number }> {
    const startedAt = performance.now();
    if (signal !== undefined) this.child.kill(signal);
    const [code] = await this.#ended;
    return { code, tookMs: performance.now() - startedAt };
  }
}

interface Settings {
  readonly uid?: number;
  readonly port?: number;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A pipe whose ends are in this process. Nobody reads it unless `read` is called. */
export class Pipe {
  readonly writeEnd: number;
  readonly #path = join(newDirectory(), 'log');
  readonly #readEnd: number;
  #isOpen = true;

  /** @param mode who may open it again by its name */
  constructor(mode = 0o666) {
    execFileSync('mkfifo', [this.#path]);
    this.#readEnd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writeEnd = openSync(this.#path, 'w');
    chmodSync(this.#path, mode);
    onTestFinished(() => {
      closeSync(this.writeEnd);
      this.closeReadEnd();
    });
  }

  closeReadEnd(): void {
    if (this.#isOpen) closeSync(this.#readEnd);
    this.#isOpen = false;
  }

  /** Has room for nothing more: the 64 KiB of pipe(7). */
  filled(): this {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, Buffer.alloc(64 * 1024));
    closeSync(fd);
    return this;
  }

  /** At most so many bytes of what there is. */
  read(bytes = 1 << 20): string {
    const buffer = Buffer.alloc(bytes);
    try {
      return buffer.toString('latin1', 0, readSync(this.#readEnd, buffer));
    } catch {
      return '';
    }
  }
}

/** How many lines are said to be missing; throws where a line is not whole, or comes too early. */
export function missingIn(text: string): number {
  let last = '';
  let missing = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const [, time = '', rest = ''] = /^time=(\S{24}) level=[a-z]+ (msg=.*)$/.exec(line) ?? [];
    const [, lost] = /^msg="log lines dropped" lines=(\d+)$/.exec(rest) ?? [];
    missing += Number(lost ?? 0);
    // That line is made when it can be written, which is after the next one was made.
    if (lost !== undefined) continue;
    if (time < last || rest === '' || line.includes('time=', 1)) throw new Error(`not a line: ${line}`);
    last = time;
  }
  return missing;
}
