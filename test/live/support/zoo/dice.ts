/** Choices that a seed makes: the same for the same seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to and without `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  shuffled<T>(things: readonly T[]): T[] {
    const left = [...things];
    return things.map(() => left.splice(this.below(left.length), 1)[0] as T);
  }

  /** A name of up to so many bytes, none of them a zero or among `without`. */
  name(limit: number, without = ''): Buffer {
    const length = Math.min(limit, this.one([1, 2, 15, limit, 1 + this.below(limit)]));
    const parts = Array.from({ length }, () => this.one([...NASTY, Buffer.of(1 + this.below(255))]));
    const bytes = Buffer.concat(parts).subarray(0, length);
    // Half of them can be told in UTF-8.
    const told =
      this.below(2) === 0
        ? bytes
        : Buffer.from(bytes.toString().replaceAll('\ufffd', '')).subarray(0, length);
    const allowed = told.filter((byte) => byte !== 0 && !without.includes(String.fromCharCode(byte)));
    return /^\.{0,2}$/.test(allowed.toString()) ? Buffer.from('x') : Buffer.from(allowed);
  }
}

/** What somebody may forget to quote, escape, count or cut. */
const NASTY = [
  ...['\n', '\\', '"', "'", '}', '{', ',', ')', '(', ' ', '\t', '\r', '%', '$(', '`', '\u001b[31m', '=', '#'],
  ...[
    '..',
    '\u202e',
    '\u2028',
    'é',
    '😀',
    ') S 1 (',
    ' - cgroup2 ',
    'socket:[1]',
    'net:[1]',
    'host',
    '__proto__',
    '-rf',
    '*',
  ],
  ...['kubepods-pod1b2c3d4e.slice', 'nginx.service', 'a'.repeat(255)],
].map((text) => Buffer.from(text));
for (const broken of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) NASTY.push(Buffer.from(broken));
