import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./actorProcess.mjs', import.meta.url));

const actors = new Set<Actor>();
afterEach(async () => {
  await Promise.all([...actors].map((actor) => actor.kill()));
});

/** Another process in the network namespace that this thread is in when it starts. It ends with the test. */
export class Actor {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    this.#child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout === null) throw new TypeError('stdout is not a pipe');
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    actors.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  /** @param directory of the cgroup, below the mount */
  enterCgroup(directory: string): Promise<void> {
    return this.#ask('enterCgroup', directory);
  }

  rename(name: Uint8Array | string): Promise<void> {
    return this.#ask('rename', Buffer.from(name).toString('base64'));
  }

  becomeUser(uid: number): Promise<void> {
    return this.#ask('becomeUser', uid);
  }

  listen(address: string, port: number, { v6only = false } = {}): Promise<void> {
    return this.#ask('listen', address, port, v6only);
  }

  bindUdp(address: string, port: number): Promise<void> {
    return this.#ask('bindUdp', address, port);
  }

  connect(to: string, port: number, count = 1): Promise<void> {
    return this.#ask('connect', to, port, count);
  }

  /** Sends the signal and returns at once. */
  startKilling(): void {
    this.#child.kill('SIGKILL');
  }

  async kill(): Promise<void> {
    actors.delete(this);
    this.startKilling();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  async #ask(call: string, ...args: unknown[]): Promise<void> {
    this.#child.stdin?.write(`${JSON.stringify([call, ...args])}\n`);
    if ((await this.#answers.next()).done) throw new Error(`${call}: the process ended before it answered`);
  }
}
