import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { threadMs } from './threadTime.ts';

/** support/server.ts, until the end of the test. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async started(namespaces: number, maxRequests: number, configFile?: string): Promise<ServerProcess> {
    const file = fileURLToPath(new URL('./server.ts', import.meta.url));
    const args = [String(namespaces), String(maxRequests), ...(configFile === undefined ? [] : [configFile])];
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data');
    return new ServerProcess(child, Number(line));
  }

  /** Milliseconds its main thread has run: what other processes do is not in it. */
  cpuMs(): number {
    return threadMs(this.#child.pid ?? 0);
  }

  residentMb(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }
}
