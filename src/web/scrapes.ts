import type { ExpositionFormat } from './negotiate.ts';
import { Packed } from './packed.ts';

/** The expositions, as long as their texts stay the same. */
export class Scrapes {
  readonly #render: (format: ExpositionFormat) => Promise<string>;
  readonly #last = new Map<ExpositionFormat, Packed>();

  constructor(render: (format: ExpositionFormat) => Promise<string>) {
    this.#render = render;
  }

  async get(format: ExpositionFormat): Promise<Packed> {
    const text = await this.#render(format);
    let packed = this.#last.get(format);
    if (packed?.text !== text) {
      packed = new Packed(text);
      this.#last.set(format, packed);
    }
    return packed;
  }
}
