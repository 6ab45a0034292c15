import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ExpositionFormat } from './negotiate.ts';

type Bytes = Uint8Array<ArrayBuffer>;

interface Packed {
  readonly text: string;
  readonly plain: Bytes;
  zipped?: Promise<Bytes>;
}

const compress = promisify(gzip);

/** The bytes of an exposition, plain or zipped: made once for each text, however often it is scraped. */
export class ScrapeBytes {
  readonly #render: (format: ExpositionFormat) => Promise<string>;
  readonly #last = new Map<ExpositionFormat, Packed>();

  constructor(render: (format: ExpositionFormat) => Promise<string>) {
    this.#render = render;
  }

  async get(format: ExpositionFormat, zipped: boolean): Promise<Bytes> {
    const text = await this.#render(format);
    let packed = this.#last.get(format);
    if (packed?.text !== text) {
      packed = { text, plain: new Uint8Array(Buffer.from(text)) };
      this.#last.set(format, packed);
    }
    if (!zipped) return packed.plain;
    packed.zipped ??= compress(packed.plain).then((bytes) => new Uint8Array(bytes));
    return await packed.zipped;
  }
}
