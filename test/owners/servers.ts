import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ServerOptions {
  /** The directory of the cgroup it enters before it opens its socket. */
  readonly cgroup?: string;
  /** What it calls itself. */
  readonly comm?: Uint8Array;
  /** The user it becomes once it listens. */
  readonly uid?: number;
  /** Sockets, each on a port of its own. */
  readonly listeners?: number;
  /** Descriptors it opens before its sockets. */
  readonly files?: number;
  /** Children that inherit its sockets. */
  readonly workers?: number;
}

export interface Server {
  readonly pid: number;
  readonly workers: readonly number[];
  readonly ports: readonly number[];
  /** Of the sockets, in the order of `ports`. */
  readonly inodes: readonly number[];
  readonly stop: () => Promise<void>;
}

/** Real processes that listen on loopback. */
export class Servers {
  readonly #children = new Set<ChildProcess>();

  async start(options: ServerOptions = {}): Promise<Server> {
    const { comm, ...rest } = options;
    const order = JSON.stringify({ ...rest, comm: comm === undefined ? undefined : [...comm] });
    const child = spawn(process.execPath, ['-e', PROGRAM, order], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.add(child);
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const { ports, workers }: { ports: number[]; workers: number[] } = JSON.parse(line);
    const inodes = inodesOfPorts();
    return {
      pid: child.pid ?? 0,
      workers,
      ports,
      inodes: ports.map((port) => inodes.get(port) ?? 0),
      stop: () => this.#stop(child),
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.#stop(child)));
  }

  /** Its end of input ends it and its workers. */
  async #stop(child: ChildProcess): Promise<void> {
    if (!this.#children.delete(child)) return;
    const exited = once(child, 'exit');
    child.stdin?.end();
    await exited;
  }
}

/** It lives as long as its input is open. */
const PROGRAM = `
  const { openSync, writeFileSync, writeSync } = require('node:fs');
  const { createServer } = require('node:net');
  const { spawn } = require('node:child_process');
  const { once } = require('node:events');
  const { cgroup, comm, uid, listeners = 1, files = 0, workers = 0 } = JSON.parse(process.argv[1]);
  process.stdin.resume().on('end', () => process.exit());
  if (cgroup !== undefined) writeFileSync(cgroup + '/cgroup.procs', String(process.pid));
  for (let file = 0; file < files; file++) openSync('/dev/null');
  (async () => {
    const servers = [];
    for (let index = 0; index < listeners; index++) {
      servers.push(createServer().listen(0, '127.0.0.1'));
      await once(servers[index], 'listening');
    }
    const children = Array.from({ length: workers }, () => spawn(
      process.execPath,
      ['-e', 'process.stdin.resume().on("end", () => process.exit())'],
      { stdio: ['pipe', 'ignore', 'inherit', ...servers.map((server) => server._handle.fd)] },
    ));
    if (comm !== undefined) writeFileSync('/proc/self/comm', Buffer.from(comm));
    if (uid !== undefined) process.setuid(uid);
    const ports = servers.map((server) => server.address().port);
    writeSync(1, JSON.stringify({ ports, workers: children.map(({ pid }) => pid) }) + '\\n');
  })();
`;

function inodesOfPorts(): Map<number, number> {
  const lines = readFileSync('/proc/net/tcp', 'latin1').trimEnd().split('\n').slice(1);
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((columns) => columns[3] === '0A');
  return new Map(
    listening.map(([, local = '', , , , , , , , inode]) => [
      Number.parseInt(local.slice(local.indexOf(':') + 1), 16),
      Number(inode),
    ]),
  );
}
