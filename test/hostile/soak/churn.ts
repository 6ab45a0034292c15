import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Connections over loopback that come and go. */
export class Connections {
  readonly #servers: Server[] = [];
  #open: Socket[] = [];
  readonly #most: number;

  /** @param most connections that are open at a time */
  constructor(most: number) {
    this.#most = most;
  }

  async listen(servers: number): Promise<void> {
    for (let count = 0; count < servers; count++) {
      const server = createServer((socket) => socket.on('error', () => {}).resume());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      this.#servers.push(server);
    }
  }

  /** Opens so many, and closes the oldest. */
  turn(count: number): void {
    for (let made = 0; made < count; made++) {
      const server = this.#servers[Math.floor(Math.random() * this.#servers.length)];
      const address = server?.address();
      if (typeof address !== 'object' || address === null) continue;
      this.#open.push(connect(address.port, '127.0.0.1').on('error', () => {}));
    }
    for (const socket of this.#open.splice(0, Math.max(0, this.#open.length - this.#most))) socket.destroy();
  }
}

/** How long the kernel may take to end a namespace that nothing holds any more. */
const END_WITHIN_MS = 60_000;

/**
 * Network namespaces that come and go. Each has one end of a pair of devices whose other end is here, and is gone as soon as
 * the namespace is: names and descriptors tell nothing of a namespace that only a socket still holds.
 */
export class Namespaces {
  #made = 0;
  readonly #named: string[] = [];
  readonly #deleted = new Map<string, number>();

  /** Makes one, and deletes the oldest of more than `most`. */
  turn(most: number): void {
    const name = `soak${this.#made++}`;
    ip('netns', 'add', name);
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    this.#named.push(name);
    for (const old of this.#named.splice(0, Math.max(0, this.#named.length - most))) {
      ip('netns', 'delete', old);
      this.#deleted.set(old, performance.now());
    }
  }

  /** Deleted a minute ago, and still not gone. */
  held(): number {
    for (const name of this.#deleted.keys()) {
      if (!existsSync(`/sys/class/net/${name}`)) this.#deleted.delete(name);
    }
    const before = performance.now() - END_WITHIN_MS;
    return [...this.#deleted.values()].filter((deletedAt) => deletedAt < before).length;
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args);
}
