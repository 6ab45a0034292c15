import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context } from 'hono';
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

/** Answers with it, zipped for whoever takes that. The length is stated, so that a client notices what was cut off. */
export async function answerPacked(
  c: Context,
  packed: Packed,
  { Vary, ...headers }: Readonly<Record<string, string>>,
): Promise<Response> {
  const zipped = acceptsGzip(c.req.header('accept-encoding'));
  const body = zipped ? await packed.zipped() : packed.plain;
  return c.body(body, 200, {
    ...headers,
    'Content-Length': String(body.length),
    Vary: Vary === undefined ? 'Accept-Encoding' : `${Vary}, Accept-Encoding`,
    ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
  });
}
