/** A set of ports as a bitmap over one range. Ports outside the range are not in it and cannot be added. */
export class PortSet {
  readonly first: number;
  readonly last: number;
  readonly #base: number;
  readonly #words: Uint32Array;

  constructor(first: number, last: number) {
    this.first = first;
    this.last = last;
    this.#base = first >>> 5;
    this.#words = new Uint32Array((last >>> 5) - this.#base + 1);
  }

  /** An empty set over the same range. */
  emptyCopy(): PortSet {
    return new PortSet(this.first, this.last);
  }

  has(port: number): boolean {
    if (port < this.first || port > this.last) return false;
    return (((this.#words[(port >>> 5) - this.#base] as number) >>> (port & 31)) & 1) === 1;
  }

  add(port: number): void {
    if (port < this.first || port > this.last) return;
    const index = (port >>> 5) - this.#base;
    this.#words[index] = (this.#words[index] as number) | (1 << (port & 31));
  }

  /** Adds every port from `from` to `to`, both included. */
  addRange(from: number, to: number): void {
    const lowest = Math.max(from, this.first);
    const highest = Math.min(to, this.last);
    for (let port = lowest; port <= highest; ) {
      if ((port & 31) === 0 && port + 31 <= highest) {
        this.#words[(port >>> 5) - this.#base] = 0xffffffff;
        port += 32;
      } else this.add(port++);
    }
  }

  delete(port: number): void {
    if (port < this.first || port > this.last) return;
    const index = (port >>> 5) - this.#base;
    this.#words[index] = (this.#words[index] as number) & ~(1 << (port & 31));
  }

  /** Adds every port of `other`, a set over the same range. */
  addAll(other: PortSet): void {
    const words = this.#words;
    const theirs = other.#words;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) | (theirs[i] as number);
  }

  clear(): void {
    this.#words.fill(0);
  }

  get size(): number {
    let count = 0;
    for (const word of this.#words) count += popcount(word);
    return count;
  }

  /** Removes every port of `other`, a set over the same range. */
  deleteAll(other: PortSet): void {
    const words = this.#words;
    const theirs = other.#words;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & ~(theirs[i] as number);
  }

  /** Ports that are in `other` too, a set over the same range. */
  sizeOfBoth(other: PortSet): number {
    const theirs = other.#words;
    return this.#words.reduce((count, word, index) => count + popcount(word & (theirs[index] as number)), 0);
  }

  /** Ports of this set with `parity` (0 even, 1 odd), of those below `end` where it is given. */
  sizeOfParity(parity: number, end = this.last + 1): number {
    const mask = parity === 0 ? 0x55555555 : 0xaaaaaaaa;
    const whole = Math.min((end >>> 5) - this.#base, this.#words.length);
    let count = 0;
    for (let i = 0; i < whole; i++) count += popcount((this.#words[i] as number) & mask);
    const rest = this.#words[whole];
    return rest === undefined ? count : count + popcount(rest & mask & ((1 << (end & 31)) - 1));
  }
}

/** Ports that are in any of `sets`, all over the same range; undefined of none. */
export function unionOf(sets: readonly PortSet[]): PortSet | undefined {
  const [first, ...others] = sets;
  if (first === undefined || others.length === 0) return first;
  const union = first.emptyCopy();
  for (const set of sets) union.addAll(set);
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
