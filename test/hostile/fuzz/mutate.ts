/** The same numbers for the same seed: mulberry32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 to `below` - 1. */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.roll(values.length)];
    if (value === undefined) throw new RangeError('nothing to pick from');
    return value;
  }
}

/** Numbers at which lengths, counts and signs change. */
const EDGES = [0, 1, 3, 4, 16, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];
const WORDS = [
  '-',
  '0',
  '65535',
  '4294967296',
  '1e309',
  '\n',
  '\t',
  ' ',
  '\0',
  '::',
  '[',
  ']',
  '\\',
  '"',
  '&a',
  '*a',
];

/** Another input made of those there are: bytes flipped, numbers set to edges, parts cut out, doubled or spliced. */
export function mutated(inputs: readonly Uint8Array[], dice: Dice, longest: number): Uint8Array {
  let bytes: Buffer = Buffer.from(dice.pick(inputs));
  for (let left = 1 + dice.roll(4); left > 0; left--) bytes = changed(bytes, inputs, dice);
  return bytes.subarray(0, longest);
}

function changed(bytes: Buffer, inputs: readonly Uint8Array[], dice: Dice): Buffer {
  const at = dice.roll(bytes.length + 1);
  const length = dice.roll(Math.min(16, bytes.length - at) + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + length)];
  switch (dice.roll(7)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.roll(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = dice.roll(256);
      return bytes;
    case 2: {
      const size = dice.pick([1, 2, 4]);
      const edge = dice.pick(EDGES) % 2 ** (8 * size);
      if (at + size <= bytes.length) bytes.writeUIntLE(edge, at, size);
      return bytes;
    }
    case 3:
      return Buffer.concat([before, after]);
    case 4:
      return Buffer.concat([before, Buffer.from(dice.pick(WORDS)), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([
        before,
        ...Array<Uint8Array>(1 + dice.roll(8)).fill(bytes.subarray(at, at + length)),
        after,
      ]);
    default: {
      const other = dice.pick(inputs);
      return Buffer.concat([before, other.subarray(dice.roll(other.length + 1))]);
    }
  }
}
