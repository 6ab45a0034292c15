import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';
import { newCgroups, UNIQUE } from '../cgroups.ts';
import { enterNamespace } from '../posix.ts';

const SOURCES = ['keeper', 'zoo', 'named', 'living', 'holding', 'dwelling'];

const zoos = new Set<Zoo>();
afterEach(async () => {
  for (const zoo of zoos) await zoo.close();
  zoos.clear();
});

/** One that ends with the test. */
export async function newZoo(): Promise<Zoo> {
  const zoo = new Zoo(newCgroups().make(`${UNIQUE}-zoo`));
  zoos.add(zoo);
  await zoo.open();
  return zoo;
}

/** What lives in the zoo. */
export interface Animal {
  readonly kind: string;
  readonly port: number;
  /** In the zoo. */
  readonly pid: number;
  /** Inode of its listener; 0 for one that does not tell. */
  readonly inode: number;
}

/**
 * A pid, mount and network namespace with an own /proc and /run, full of processes that do what strangers may do. Whoever is
 * inside sees nobody else, and all ends with `close()`.
 */
export class Zoo {
  /** Of cgroup v2, for animals to make others in. */
  readonly cgroup: string;
  readonly #directory: string;
  readonly #keeper: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #first = 0;

  constructor(cgroup: string) {
    this.cgroup = cgroup;
    this.#directory = mkdtempSync(join(tmpdir(), 'port-exporter-zoo-'));
    const program = join(this.#directory, 'keeper');
    const sources = SOURCES.map((name) => join(import.meta.dirname, `${name}.c`));
    execFileSync('gcc', ['-O1', '-pthread', '-o', program, ...sources]);
    this.#keeper = spawn(program, ['keep'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#keeper.stdin?.on('error', () => {});
    if (this.#keeper.stdout === null) throw new TypeError('stdout is not a pipe');
    this.#answers = createInterface({ input: this.#keeper.stdout })[Symbol.asyncIterator]();
  }

  async open(): Promise<void> {
    // The pid of its first process, and, before or behind that, a zero when all is prepared.
    this.#first = Number(await this.#answer()) + Number(await this.#answer());
  }

  /** @param given after the port and the name: see the sources */
  async add(
    kind: string,
    port: number,
    name: Buffer | string,
    ...given: (string | number)[]
  ): Promise<Animal> {
    this.#keeper.stdin?.write(`${[kind, port, hex(name), ...given].join(' ')}\n`);
    const answer = await this.#answer();
    if (!/^\d+ \d+$/.test(answer)) throw new Error(`${kind}: ${answer}`);
    const [pid = 0, inode = 0] = answer.split(' ').map(Number);
    return { kind, port, pid, inode };
  }

  /** A command that runs the rest of its arguments in the zoo. */
  get launcher(): readonly string[] {
    return ['nsenter', '--target', String(this.#first), '--mount', '--net', '--pid', '--'];
  }

  /** Puts the calling thread into a network namespace of the zoo → what brings it back. */
  enter(pid = 1): () => void {
    return enterNamespace(`/proc/${this.#first}/root/proc/${pid}/ns/net`);
  }

  /** What a command that runs in there prints. */
  read(command: string, ...args: readonly string[]): string {
    const [launcher = '', ...words] = this.launcher;
    return execFileSync(launcher, [...words, command, ...args], { encoding: 'utf8' });
  }

  async close(): Promise<void> {
    const ended = once(this.#keeper, 'exit');
    this.#keeper.stdin?.end();
    await ended;
    // Whatever they are called, and however deep they are.
    spawnSync('find', [this.cgroup, '-mindepth', '1', '-depth', '-type', 'd', '-delete']);
    rmSync(this.#directory, { recursive: true });
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the keeper ended before it answered');
    return value;
  }
}

export function hex(bytes: Buffer | string): string {
  return Buffer.from(bytes).toString('hex');
}
