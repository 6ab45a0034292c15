import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { writeBundle } from '../deploy/support/bundle.ts';

let made = 0;

/** The image's files and command, run as the DaemonSet says. */
export class Container {
  readonly #name = `port-exporter-image-${process.pid}-${made++}`;
  readonly #state: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  readonly #output: Promise<readonly [stdout: string, stderr: string]>;

  constructor(
    work: string,
    rootfs: string,
    daemonSet: IDaemonSet,
    {
      command,
      env = {},
    }: { readonly command: readonly string[]; readonly env?: Readonly<Record<string, string>> },
  ) {
    const bundle = join(work, this.#name);
    this.#state = join(work, 'state');
    writeBundle(bundle, daemonSet, {
      rootfs,
      entrypoint: command,
      hostIp: '127.0.0.1',
      env,
      cgroup: `/${this.#name}`,
    });
    const child = spawn('runc', ['--root', this.#state, 'run', '--bundle', bundle, this.#name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#ended = once(child, 'close');
    this.#output = Promise.all([text(child.stdout), text(child.stderr)]);
  }

  /** How it ended, by itself or after a signal. */
  async ended(signal?: NodeJS.Signals): Promise<{ code: number | null; stdout: string; stderr: string }> {
    if (signal !== undefined) this.#child.kill(signal);
    await this.#ended;
    const [stdout, stderr] = await this.#output;
    return { code: this.#child.exitCode, stdout, stderr };
  }

  /** Whatever state it is in. */
  remove(): void {
    execFileSync('runc', ['--root', this.#state, 'delete', '--force', this.#name], { stdio: 'ignore' });
  }
}
