import { RECORD_WORDS } from './walk.ts';

/** Words of a chunk, so that growing copies little. */
const CHUNK = 16_384;
const FIRST_CHUNK = 256;
/** A record with no word that is 0, and the mask before it. */
const LONGEST = RECORD_WORDS + 1;

/** Where each is unpacked: a visitor copies what it wants to keep, and visits no others meanwhile. */
const RECORD = new Int32Array(RECORD_WORDS);

/** Records without their words that are 0, which are most: a mask of those that are not, and then these. */
export class PackedRecords {
  readonly #chunks: Int32Array[] = [];
  /** Words in use of each chunk. */
  readonly #ends: number[] = [];
  /** The chunk that is being filled. */
  #filling = 0;
  count = 0;

  /** Copies the record that begins at `at`. */
  push(from: Int32Array, at: number): void {
    const chunk = this.#roomyChunk();
    const start = this.#ends[this.#filling] as number;
    let end = start + 1;
    let mask = 0;
    for (let word = 0; word < RECORD_WORDS; word++) {
      const value = from[at + word] as number;
      if (value === 0) continue;
      mask |= 1 << word;
      chunk[end++] = value;
    }
    chunk[start] = mask;
    this.#ends[this.#filling] = end;
    this.count++;
  }

  /** Every record, in the order in which they came, in the same words refilled. */
  visit(visit: (words: Int32Array, at: number) => void): void {
    const record = RECORD;
    for (let index = 0; index <= this.#filling && index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] as Int32Array;
      const end = this.#ends[index] as number;
      for (let at = 0; at < end; ) {
        const mask = chunk[at++] as number;
        for (let word = 0; word < RECORD_WORDS; word++)
          record[word] = (mask >>> word) & 1 ? (chunk[at++] as number) : 0;
        visit(record, 0);
      }
    }
  }

  /** Forgets them and keeps the memory. */
  clear(): void {
    this.#ends.fill(0);
    this.#filling = 0;
    this.count = 0;
  }

  /** The chunk that is being filled, with room for one more record. */
  #roomyChunk(): Int32Array {
    const chunk = this.#chunks[this.#filling];
    if (chunk === undefined) return this.#addChunk(this.#filling === 0 ? FIRST_CHUNK : CHUNK);
    const end = this.#ends[this.#filling] as number;
    if (end + LONGEST <= chunk.length) return chunk;
    if (chunk.length < CHUNK) {
      // Small namespaces are many.
      const larger = new Int32Array(2 * chunk.length);
      larger.set(chunk);
      this.#chunks[this.#filling] = larger;
      return larger;
    }
    this.#filling++;
    return this.#chunks[this.#filling] ?? this.#addChunk(CHUNK);
  }

  #addChunk(words: number): Int32Array {
    const chunk = new Int32Array(words);
    this.#chunks.push(chunk);
    this.#ends.push(0);
    return chunk;
  }
}
