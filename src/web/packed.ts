import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { Backlog } from './backlog.ts';
import { acceptsGzip } from './negotiate.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

const compress = promisify(gzip);

/** A text as it goes over the wire: its bytes are made once, plain and zipped, however many ask for them. */
export class Packed {
  readonly text: string;
  readonly #plain: Bytes;
  #zipped?: Promise<Bytes>;

  constructor(text: string) {
    this.text = text;
    this.#plain = new TextEncoder().encode(text);
  }

  get plain(): Bytes {
    return this.#plain;
  }

  async zipped(): Promise<Bytes> {
    this.#zipped ??= compress(this.#plain).then((bytes) => new Uint8Array(bytes));
    return await this.#zipped;
  }
}

/** Sends packed texts, of which only so much may wait to be read. */
export class Answers {
  readonly #backlog = new Backlog();

  /** Zipped for whoever takes that. The length is stated, so that a client notices what was cut off. */
  async send(
    c: Context,
    packed: Packed,
    { Vary, ...headers }: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const zipped = acceptsGzip(c.req.header('accept-encoding'));
    const body = zipped ? await packed.zipped() : packed.plain;
    const { outgoing }: Partial<HttpBindings> = c.env ?? {};
    if (outgoing !== undefined) this.#backlog.add(body, outgoing);
    return c.body(body, 200, {
      ...headers,
      'Content-Length': String(body.length),
      Vary: Vary === undefined ? 'Accept-Encoding' : `${Vary}, Accept-Encoding`,
      ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
    });
  }
}
