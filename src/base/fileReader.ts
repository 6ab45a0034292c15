import { readFile, stat } from 'node:fs/promises';
import { ExporterError, failureText } from './errors.ts';

/** Far above any configuration or certificate, far below what would hurt. */
const LONGEST_BYTES = 1 << 20;

type Content = { readonly bytes: Buffer } | { readonly failure: string };

/** Reads files, each once, and remembers which and what was in them. */
export class FileReader {
  readonly #contents = new Map<string, Content>();
  readonly #seen: ReadonlyMap<string, Content>;

  /** @param seen another one, whose contents are taken for those that it has read */
  constructor(seen?: FileReader) {
    this.#seen = seen === undefined ? new Map() : seen.#contents;
  }

  /** The whole file. Throws an ExporterError that names it. */
  async read(file: string): Promise<Buffer> {
    const content = this.#contents.get(file) ?? this.#seen.get(file) ?? (await contentOf(file));
    this.#contents.set(file, content);
    if ('failure' in content) throw new ExporterError(`${file}: ${content.failure}`);
    return content.bytes;
  }

  /** A reader that has read the same files once more, as they are now. */
  async again(): Promise<FileReader> {
    const reader = new FileReader();
    for (const file of this.#contents.keys()) reader.#contents.set(file, await contentOf(file));
    return reader;
  }

  /** Whether both have read the same files and found the same in them. */
  equals(other: FileReader): boolean {
    const files = [...this.#contents];
    return (
      files.length === other.#contents.size &&
      files.every(([file, content]) => isSame(content, other.#contents.get(file)))
    );
  }
}

async function contentOf(file: string): Promise<Content> {
  try {
    const found = await stat(file);
    // Opening a named pipe would wait for a writer, and a device may never end.
    if (!found.isFile()) return { failure: 'not a regular file' };
    if (found.size > LONGEST_BYTES) {
      return { failure: `too large: ${found.size} bytes, expected at most ${LONGEST_BYTES}` };
    }
    return { bytes: await readFile(file) };
  } catch (thrown) {
    return { failure: failureText(thrown) };
  }
}

function isSame(one: Content, other: Content | undefined): boolean {
  if (other === undefined) return false;
  if ('failure' in one) return 'failure' in other && one.failure === other.failure;
  return 'bytes' in other && one.bytes.equals(other.bytes);
}
