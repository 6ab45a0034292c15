import { mkdtempSync, rmSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { errorCode } from '../../src/base/errors.ts';
import { AF_UNIX, loadLibc, MSG_DONTWAIT, SOCK_DGRAM } from '../../src/kernel/libc.ts';

/** The socket of a service manager, as sd_notify(3) describes it. It ends with the test. */
export class FakeManager {
  /** What NOTIFY_SOCKET is. */
  readonly address: string;
  readonly #fd: number;
  readonly #heard: string[] = [];
  #isOpen = true;

  /** @param abstract a name without a file, `@...` */
  constructor({ abstract = false } = {}) {
    const directory = mkdtempSync(join(tmpdir(), 'port-exporter-notify-'));
    const path = join(directory, 'socket');
    this.address = abstract ? `@${path}` : path;
    const libc = loadLibc();
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    const family = new Uint8Array(endianness() === 'LE' ? [AF_UNIX, 0] : [0, AF_UNIX]);
    libc.bind(this.#fd, Buffer.concat([family, Buffer.from(abstract ? `\0${path}` : `${path}\0`)]));
    onTestFinished(() => {
      this.close();
      rmSync(directory, { recursive: true });
    });
  }

  /** Every message until now. What the command systemd-notify adds to see that it was heard is none. */
  get messages(): readonly string[] {
    const buffer = Buffer.alloc(4096);
    for (;;) {
      try {
        const length = loadLibc().recv(this.#fd, buffer, MSG_DONTWAIT);
        const message = buffer.toString('utf8', 0, length).trimEnd();
        if (message !== 'BARRIER=1') this.#heard.push(message);
      } catch (error) {
        if (errorCode(error) === 'EAGAIN') return this.#heard;
        throw error;
      }
    }
  }

  close(): void {
    // Its number may be another's by the second time.
    if (this.#isOpen) loadLibc().close(this.#fd);
    this.#isOpen = false;
  }
}
