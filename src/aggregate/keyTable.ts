/**
 * Numbers the distinct keys it is shown: an open-addressing hash table over typed arrays, so that a dump of half a
 * million sockets makes no garbage. A key is a fixed number of 32-bit words, written into `key` before each call.
 * `clear()` keeps the memory for the next sample.
 */
export class KeyTable {
  /** Where the caller writes the key that the next call is about. */
  readonly key: Int32Array;
  readonly #words: number;
  readonly #seed = (Math.random() * 2 ** 32) | 0;
  readonly #firstCapacity: number;
  #keys = NO_KEYS;
  /** Row + 1 of the key that hashes here; 0 is free. Twice as long as `#keys` has room for, a power of two. */
  #slots = NO_SLOTS;
  #size = 0;

  /** @param capacity that it begins with once it has a key: most tables of a sample never do */
  constructor(words: number, capacity = 64) {
    this.key = new Int32Array(words);
    this.#words = words;
    this.#firstCapacity = capacity;
  }

  /** Keys seen; their rows are 0 to size − 1. */
  get size(): number {
    return this.#size;
  }

  /** Rows there is room for without growing; columns beside the table need as many. */
  get capacity(): number {
    return this.#slots === NO_SLOTS ? this.#firstCapacity : this.#slots.length / 2;
  }

  /** Row of the key, a new one (`size − 1` afterwards) where it was not seen before. */
  upsert(): number {
    const slot = this.#find();
    const found = (this.#slots[slot] as number) - 1;
    if (found >= 0) return found;
    if (this.#slots === NO_SLOTS || this.#size === this.capacity) {
      this.#grow();
      return this.upsert();
    }
    const row = this.#size++;
    this.#slots[slot] = row + 1;
    this.#keys.set(this.key, row * this.#words);
    return row;
  }

  /** Row of the key, -1 where it was not seen. */
  find(): number {
    return (this.#slots[this.#find()] as number) - 1;
  }

  /** One word of a row's key. */
  word(row: number, index: number): number {
    return this.#keys[row * this.#words + index] as number;
  }

  clear(): void {
    if (this.#size > 0) this.#slots.fill(0);
    this.#size = 0;
  }

  /** Slot of the key, or the free one where it would go. */
  #find(): number {
    const { key } = this;
    const slots = this.#slots;
    const keys = this.#keys;
    const words = this.#words;
    const mask = slots.length - 1;
    let slot = this.#hash(key, 0) & mask;
    for (;;) {
      const row = (slots[slot] as number) - 1;
      if (row < 0) return slot;
      const start = row * words;
      let word = 0;
      while (word < words && keys[start + word] === key[word]) word++;
      if (word === words) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Mixes as MurmurHash3 does (public domain), seeded: addresses come from outside and must not choose their slot. */
  #hash(from: Int32Array, start: number): number {
    let hash = this.#seed;
    for (let word = start; word < start + this.#words; word++) {
      hash ^= Math.imul(from[word] as number, 0xcc9e2d51);
      hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0x1b873593;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  #grow(): void {
    const capacity = this.#slots === NO_SLOTS ? this.#firstCapacity : 2 * this.capacity;
    const keys = new Int32Array(this.#words * capacity);
    keys.set(this.#keys);
    this.#keys = keys;
    const slots = new Int32Array(2 * capacity);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#size; row++) {
      let slot = this.#hash(keys, row * this.#words) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

const NO_KEYS = new Int32Array(0);
/** One that is free: nothing is found in it. */
const NO_SLOTS = new Int32Array(1);
