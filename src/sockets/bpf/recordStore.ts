import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { RECORD_WORDS, RECORDS } from './walk.ts';

/** Word of a record with the inode number of its network namespace. */
const NETNS = 2;

/**
 * The records of one walk, as the kernel wrote them, found by their network namespace. The memory stays for the next walk:
 * as much as the largest took.
 */
export class RecordStore {
  readonly #buffers: Int32Array[] = [];
  readonly #byNamespace = new Map<number, Positions>();
  #last: Positions | undefined;
  #lastInode = -1;

  /** Where the records of a run go. */
  bufferOf(run: number): Int32Array {
    const known = this.#buffers[run];
    if (known !== undefined) return known;
    const buffer = new Int32Array(RECORD_WORDS * RECORDS);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Takes the first records of the buffer of that run. */
  take(run: number, count: number): void {
    const buffer = this.#buffers[run] as Int32Array;
    for (let record = 0; record < count; record++)
      this.#positionsOf((buffer[record * RECORD_WORDS + NETNS] as number) >>> 0).push(run * RECORDS + record);
  }

  /** Forgets the last walk. Namespaces that it did not see are forgotten for good. */
  clear(): void {
    for (const [inode, positions] of this.#byNamespace) {
      if (positions.size === 0) this.#byNamespace.delete(inode);
      else positions.size = 0;
    }
    this.#last = undefined;
    this.#lastInode = -1;
  }

  /** Records of a namespace. */
  countOf(inode: number): number {
    return this.#byNamespace.get(inode)?.size ?? 0;
  }

  /** Namespaces with records. */
  get inodes(): number[] {
    return [...this.#byNamespace].filter(([, { size }]) => size > 0).map(([inode]) => inode);
  }

  /** Every record of a namespace: it begins at `at` in `words`. */
  visit(inode: number, visit: (words: Int32Array, at: number) => void): void {
    const positions = this.#byNamespace.get(inode);
    if (positions === undefined) return;
    for (let index = 0; index < positions.size; index++) {
      const position = positions.at(index);
      visit(this.#buffers[Math.floor(position / RECORDS)] as Int32Array, (position % RECORDS) * RECORD_WORDS);
    }
  }

  /** Most records are of the namespace of the one before. */
  #positionsOf(inode: number): Positions {
    if (inode === this.#lastInode && this.#last !== undefined) return this.#last;
    const positions = this.#byNamespace.get(inode) ?? new Positions();
    this.#byNamespace.set(inode, positions);
    this.#last = positions;
    this.#lastInode = inode;
    return positions;
  }
}

/** A growing list of numbers. */
class Positions {
  size = 0;
  #numbers = new Uint32Array(16);

  push(position: number): void {
    if (this.size === this.#numbers.length) {
      const numbers = new Uint32Array(2 * this.size);
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    this.#numbers[this.size++] = position;
  }

  at(index: number): number {
    return this.#numbers[index] as number;
  }
}

/** A byte of a record's word. */
export function byteOf(word: number, index: 0 | 1 | 2 | 3): number {
  return (word >>> (HOST_IS_LITTLE_ENDIAN ? 8 * index : 24 - 8 * index)) & 0xff;
}
