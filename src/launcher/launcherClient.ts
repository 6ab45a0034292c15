import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ifReadable } from '../base/ifReadable.ts';
import { holds } from '../kernel/capabilities.ts';
import { hasEnded } from '../kernel/ownProcess.ts';
import type { Announcement, Announcing } from '../systemd/notifyCommand.ts';
import type { LauncherError, LauncherNews, LauncherRequest, TcpAddress } from './launcherMessage.ts';

/** What a sampler started by the launcher tells of itself. */
interface LaunchedEvents {
  /** The socket on which it speaks, and its process id. */
  started: [socket: Socket, pid: number];
  /** `how` completes a sentence: `exited with code 1`. Nothing comes after it. */
  ended: [how: string];
}

export interface Launched extends EventEmitter<LaunchedEvents> {
  kill(): void;
}

/** One that is told to end is gone within milliseconds, unless a sampler hangs in the kernel. */
const END_WITHIN_MS = 500;
const END_STEP_MS = 5;

/** The launcher of this process. */
export class Launcher {
  readonly #pid: number;
  readonly #launched = new Map<number, Launched>();
  readonly #listening = new Map<
    number,
    (error: LauncherError | undefined, server: Server | undefined) => void
  >();
  readonly #notifying = new Map<number, (error: string | undefined) => void>();
  #last = 0;
  readonly #waiting: LauncherRequest[] = [];
  #isReady = false;
  #isEnding = false;

  /** @param onGone the launcher ended unasked, and nothing can be started any more */
  constructor(pid: number, onGone: () => void) {
    this.#pid = pid;
    process.on('message', (news: LauncherNews, handle?: unknown) => this.#hear(news, handle));
    process.on('disconnect', () => {
      if (!this.#isEnding) onGone();
    });
  }

  /** @param options SamplingOptions as text */
  start(options: string): Launched {
    const id = ++this.#last;
    const launched: Launched = Object.assign(new EventEmitter<LaunchedEvents>(), {
      kill: () => this.#ask({ kind: 'kill', id }),
    });
    this.#launched.set(id, launched);
    this.#ask({ kind: 'start', id, options });
    return launched;
  }

  /** The command systemd-notify, run by the launcher. */
  get announcing(): Announcing {
    const status = ifReadable(() => readFileSync(`/proc/${this.#pid}/status`, 'latin1'));
    return {
      command: (announcement) => this.#notify(announcement),
      mayVouch: holds('CAP_SYS_ADMIN', status ?? ''),
    };
  }

  /** Ends the launcher and all that it started: nothing of them is left. */
  async end(): Promise<void> {
    this.#isEnding = true;
    // While it begins it has started nothing, and hears nothing.
    if (!this.#isReady) process.kill(this.#pid, 'SIGKILL');
    // Not by disconnecting: while a socket is on its way, the other end does not notice.
    this.#ask({ kind: 'end' });
    for (let waited = 0; !hasEnded(this.#pid) && waited < END_WITHIN_MS; waited += END_STEP_MS) {
      await sleep(END_STEP_MS);
    }
  }

  /** A socket that listens where that takes CAP_NET_BIND_SERVICE. Rejects with what node:net says: a message and its errno. */
  listen(address: TcpAddress): Promise<Server> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#listening.set(id, (error, server) => {
        if (server !== undefined) resolve(server);
        else reject(Object.assign(new Error(error?.message ?? 'no socket arrived'), { errno: error?.errno }));
      });
      this.#ask({ kind: 'listen', id, address });
    });
  }

  #notify(announcement: Announcement): Promise<void> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#notifying.set(id, (error) => (error === undefined ? resolve() : reject(new Error(error))));
      this.#ask({ kind: 'notify', id, announcement });
    });
  }

  #ask(request: LauncherRequest): void {
    // Where nobody hears it any more, `disconnect` follows.
    if (!this.#isReady) this.#waiting.push(request);
    else process.send?.(request, undefined, {}, () => {});
  }

  #hear(news: LauncherNews, handle: unknown): void {
    if (news.kind === 'ready') {
      this.#isReady = true;
      for (const request of this.#waiting.splice(0)) this.#ask(request);
      return;
    }
    if (news.kind === 'notified') {
      this.#notifying.get(news.id)?.(news.error);
      this.#notifying.delete(news.id);
      return;
    }
    if (news.kind === 'listening') {
      this.#listening.get(news.id)?.(news.error, handle instanceof Server ? handle : undefined);
      this.#listening.delete(news.id);
      return;
    }
    const launched = this.#launched.get(news.id);
    if (news.kind === 'ended') {
      this.#launched.delete(news.id);
      launched?.emit('ended', news.how);
    } else if (handle instanceof Socket) {
      if (launched === undefined) handle.destroy();
      else launched.emit('started', handle, news.pid);
    }
  }
}
