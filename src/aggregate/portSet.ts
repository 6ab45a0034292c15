/**
 * A set of ports as a bitmap over one range. Ports outside the range are not in it and cannot be added. Most sets of a sample
 * stay empty, and are asked for their size more than once: an empty one has no memory, and the size is kept.
 */
export class PortSet {
  readonly first: number;
  readonly last: number;
  readonly #base: number;
  #words: Uint32Array = NO_WORDS;
  /** Ports in it; undefined where they have to be counted again. */
  #size: number | undefined = 0;

  constructor(first: number, last: number) {
    this.first = first;
    this.last = last;
    this.#base = first >>> 5;
  }

  /** An empty set over the same range. */
  emptyCopy(): PortSet {
    return new PortSet(this.first, this.last);
  }

  has(port: number): boolean {
    if (this.#size === 0 || port < this.first || port > this.last) return false;
    return (((this.#words[(port >>> 5) - this.#base] as number) >>> (port & 31)) & 1) === 1;
  }

  add(port: number): void {
    if (port < this.first || port > this.last) return;
    const words = this.#ownWords();
    const index = (port >>> 5) - this.#base;
    const word = words[index] as number;
    const bit = 1 << (port & 31);
    if ((word & bit) !== 0) return;
    words[index] = word | bit;
    if (this.#size !== undefined) this.#size++;
  }

  /** Adds every port from `from` to `to`, both included. */
  addRange(from: number, to: number): void {
    const lowest = Math.max(from, this.first);
    const highest = Math.min(to, this.last);
    for (let port = lowest; port <= highest; ) {
      if ((port & 31) === 0 && port + 31 <= highest) {
        this.#ownWords()[(port >>> 5) - this.#base] = 0xffffffff;
        this.#size = undefined;
        port += 32;
      } else this.add(port++);
    }
  }

  delete(port: number): void {
    if (!this.has(port)) return;
    const index = (port >>> 5) - this.#base;
    this.#words[index] = (this.#words[index] as number) & ~(1 << (port & 31));
    if (this.#size !== undefined) this.#size--;
  }

  /** Adds every port of `other`, a set over the same range. */
  addAll(other: PortSet): void {
    if (other.#size === 0) return;
    const words = this.#ownWords();
    const theirs = other.#words;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) | (theirs[i] as number);
    this.#size = undefined;
  }

  clear(): void {
    this.#words.fill(0);
    this.#size = 0;
  }

  get size(): number {
    this.#size ??= this.#words.reduce((count, word) => count + popcount(word), 0);
    return this.#size;
  }

  /** Removes every port of `other`, a set over the same range. */
  deleteAll(other: PortSet): void {
    if (this.#size === 0 || other.#size === 0) return;
    const words = this.#words;
    const theirs = other.#words;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & ~(theirs[i] as number);
    this.#size = undefined;
  }

  /** Ports that are in `other` too, a set over the same range. */
  sizeOfBoth(other: PortSet): number {
    if (this.#size === 0 || other.#size === 0) return 0;
    const theirs = other.#words;
    return this.#words.reduce((count, word, index) => count + popcount(word & (theirs[index] as number)), 0);
  }

  /** Ports of this set with `parity` (0 even, 1 odd), of those below `end` where it is given. */
  sizeOfParity(parity: number, end = this.last + 1): number {
    if (this.#size === 0) return 0;
    const mask = parity === 0 ? 0x55555555 : 0xaaaaaaaa;
    const whole = Math.min((end >>> 5) - this.#base, this.#words.length);
    let count = 0;
    for (let i = 0; i < whole; i++) count += popcount((this.#words[i] as number) & mask);
    const rest = this.#words[whole];
    return rest === undefined ? count : count + popcount(rest & mask & ((1 << (end & 31)) - 1));
  }

  #ownWords(): Uint32Array {
    if (this.#words === NO_WORDS) this.#words = new Uint32Array((this.last >>> 5) - this.#base + 1);
    return this.#words;
  }
}

const NO_WORDS = new Uint32Array(0);

/** Ports that are in any of `sets`, all over the same range; undefined of none. Empty ones make no difference. */
export function unionOf(sets: readonly PortSet[]): PortSet | undefined {
  const [first, ...others] = sets.filter(({ size }) => size > 0);
  if (first === undefined) return sets[0];
  if (others.length === 0) return first;
  const union = first.emptyCopy();
  for (const set of [first, ...others]) union.addAll(set);
  return union;
}

export function sizeOfUnion(sets: readonly PortSet[]): number {
  return unionOf(sets)?.size ?? 0;
}

/** Bits set in a 32-bit word (Hacker's Delight, 5-1). */
function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
