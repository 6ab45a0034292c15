import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { vi } from 'vitest';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { type How, start } from './program.ts';

const SOON = { timeout: 10_000 * SLOWNESS, interval: 20 };

/** `port-exporter refusals` while it watches. It ends with the test file at the latest. */
export class Watching {
  readonly child: ReturnType<typeof start>;
  /** What it printed. */
  readonly lines: string[] = [];
  stderr = '';
  readonly #ended: Promise<unknown[]>;

  private constructor(args: readonly string[], how: How) {
    this.child = start(['refusals', ...args], how);
    this.#ended = once(this.child, 'close');
    this.child.stderr.on('data', (bytes) => {
      this.stderr += bytes;
    });
  }

  /** One that the kernel counts for. */
  static async started(args: readonly string[], how: How & { isRead?: boolean } = {}): Promise<Watching> {
    const watching = new Watching(args, how);
    if (how.isRead !== false)
      createInterface(watching.child.stdout).on('line', (line) => watching.lines.push(line));
    await vi.waitFor(() => {
      if (watching.inKernel.links.length === 0) throw new Error(`it counts nothing: ${watching.stderr}`);
    }, SOON);
    return watching;
  }

  /** Ids of what it has in the kernel. */
  get inKernel(): BpfIds {
    return bpfIdsOf(this.child.pid);
  }

  /** The first line that fits, as soon as it is there. */
  printed(pattern: RegExp): Promise<string> {
    return vi.waitFor(() => {
      const line = this.lines.find((candidate) => pattern.test(candidate));
      if (line === undefined) throw new Error(`no line like ${pattern} among:\n${this.lines.join('\n')}`);
      return line;
    }, SOON);
  }

  /** How it ends, after a signal where one is given. */
  async end(signal?: NodeJS.Signals): Promise<{ code: unknown; signal: unknown }> {
    if (signal !== undefined) this.child.kill(signal);
    const [code, killedBy] = await this.#ended;
    return { code, signal: killedBy };
  }
}

export interface BpfIds {
  readonly progs: readonly number[];
  readonly maps: readonly number[];
  readonly links: readonly number[];
}

/** Of those that are still there. The kernel frees them some time after their last descriptor is closed. */
export function left({ progs, maps, links }: BpfIds): string[] {
  const isThere = (kind: string, id: number) =>
    spawnSync('bpftool', [kind, 'show', 'id', String(id)], { stdio: 'ignore' }).status === 0;
  return Object.entries({ prog: progs, map: maps, link: links }).flatMap(([kind, ids]) =>
    ids.filter((id) => isThere(kind, id)).map((id) => `${kind} ${id}`),
  );
}

/** proc_pid_fdinfo(5) */
function bpfIdsOf(pid: number | undefined): BpfIds {
  const texts = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => textOf(`/proc/${pid}/fdinfo/${fd}`));
  const ids = (key: string) =>
    texts.flatMap((text) => {
      const [, id] = new RegExp(`^${key}:\\t(\\d+)$`, 'm').exec(text) ?? [];
      return id === undefined ? [] : [Number(id)];
    });
  return { progs: ids('prog_id'), maps: ids('map_id'), links: ids('link_id') };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
