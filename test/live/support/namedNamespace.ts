import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterEach } from 'vitest';
import * as posix from './posix.ts';
import { World, type WorldSetup } from './world.ts';

/** What the names of this process's namespaces begin with. */
export const NAME_PREFIX = `pe${process.pid}-`;

let made = 0;
const open = new Set<NamedNamespace>();
afterEach(() => {
  for (const namespace of open) namespace.close();
});

/** A namespace of `ip netns` beside the one that the exporter is in. It ends with the test. */
export class NamedNamespace {
  readonly name = `${NAME_PREFIX}${made++}`;
  readonly path = `/run/netns/${this.name}`;
  readonly inode: number;
  readonly #world: World;

  constructor(setup: WorldSetup = {}) {
    execFileSync('ip', ['netns', 'add', this.name]);
    open.add(this);
    execFileSync('ip', ['-n', this.name, 'link', 'set', 'lo', 'up']);
    this.inode = statSync(this.path).ino;
    this.#world = this.#entered(() => new World({ ...setup, enter: () => () => {} }));
  }

  /** Opens sockets in it, or whatever: this thread is inside until `act` returns. */
  inside<T>(act: (world: World) => T): T {
    return this.#entered(() => act(this.#world));
  }

  /** Ends its sockets and its name. */
  close(): void {
    if (!open.delete(this)) return;
    this.#world.close();
    execFileSync('ip', ['netns', 'delete', this.name]);
  }

  #entered<T>(act: () => T): T {
    const leave = posix.enterNamespace(this.path);
    try {
      return act();
    } finally {
      leave();
    }
  }
}
