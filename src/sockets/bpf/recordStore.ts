import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { PackedRecords } from './packedRecords.ts';
import { RECORD_WORDS, RECORDS } from './walk.ts';

/** Word of a record with the inode number of its network namespace. */
const NETNS = 2;

/** What one run of a walk tells; walks are made one after the other. */
const BUFFER = new Int32Array(RECORD_WORDS * RECORDS);

/**
 * The records of one walk by their network namespace. The memory stays for the next walk: as much as the largest took.
 */
export class RecordStore {
  readonly #byNamespace = new Map<number, PackedRecords>();
  #last: PackedRecords | undefined;
  #lastInode = -1;

  /** Where the records of a run go. */
  get buffer(): Int32Array {
    return BUFFER;
  }

  /** Takes the first records of the buffer. */
  take(count: number): void {
    for (let at = 0; at < count * RECORD_WORDS; at += RECORD_WORDS)
      this.#recordsOf((BUFFER[at + NETNS] as number) >>> 0).push(BUFFER, at);
  }

  /** Forgets the last walk. Namespaces that it did not see are forgotten for good. */
  clear(): void {
    for (const [inode, records] of this.#byNamespace) {
      if (records.count === 0) this.#byNamespace.delete(inode);
      else records.clear();
    }
    this.#last = undefined;
    this.#lastInode = -1;
  }

  /** Records of a namespace. */
  countOf(inode: number): number {
    return this.#byNamespace.get(inode)?.count ?? 0;
  }

  /** Namespaces with records. */
  get inodes(): number[] {
    return [...this.#byNamespace].filter(([, { count }]) => count > 0).map(([inode]) => inode);
  }

  /** Every record of a namespace, in the same words refilled: it begins at `at`. */
  visit(inode: number, visit: (words: Int32Array, at: number) => void): void {
    this.#byNamespace.get(inode)?.visit(visit);
  }

  /** Most records are of the namespace of the one before. */
  #recordsOf(inode: number): PackedRecords {
    if (inode === this.#lastInode && this.#last !== undefined) return this.#last;
    const records = this.#byNamespace.get(inode) ?? new PackedRecords();
    this.#byNamespace.set(inode, records);
    this.#last = records;
    this.#lastInode = inode;
    return records;
  }
}

/** A byte of a record's word. */
export function byteOf(word: number, index: 0 | 1 | 2 | 3): number {
  return (word >>> (HOST_IS_LITTLE_ENDIAN ? 8 * index : 24 - 8 * index)) & 0xff;
}
