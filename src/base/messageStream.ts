import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { ExporterError } from './errors.ts';

/** Bytes of the length that stands before each message. */
const HEADER_BYTES = 4;
/** No message comes near it; a length beyond it is none. */
const LONGEST_BYTES = 256 * 1024 * 1024;

/**
 * Writes one message: anything that the structured clone algorithm takes (node:v8, serialize). False where the next should wait
 * for the event `drain`.
 */
export function writeMessage(socket: Socket, message: unknown): boolean {
  const body = serialize(message);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(body.length);
  return socket.write(Buffer.concat([header, body]));
}

/**
 * Calls back with each message that `writeMessage` wrote at the other end, however its bytes arrive. Destroys the socket with an
 * ExporterError where they are no message.
 */
export function readMessages(socket: Socket, hear: (message: unknown) => void): void {
  const bytes = new ByteQueue();
  let length: number | undefined;
  socket.on('data', (chunk: Buffer) => {
    bytes.push(chunk);
    try {
      while (!socket.destroyed) {
        length ??= lengthOf(bytes.take(HEADER_BYTES));
        const body = length === undefined ? undefined : bytes.take(length);
        if (body === undefined) return;
        length = undefined;
        hear(read(body));
      }
    } catch (thrown) {
      socket.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  });
}

function lengthOf(header: Buffer | undefined): number | undefined {
  const length = header?.readUInt32LE();
  if (length === undefined || length <= LONGEST_BYTES) return length;
  throw new ExporterError(`message of ${length} bytes: expected at most ${LONGEST_BYTES}`);
}

function read(body: Buffer): unknown {
  try {
    return deserialize(body);
  } catch (cause) {
    throw new ExporterError(`unreadable message of ${body.length} bytes`, { cause });
  }
}

class ByteQueue {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next `length` bytes; undefined where there are fewer. */
  take(length: number): Buffer | undefined {
    if (this.#size < length) return undefined;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(length)];
    this.#size -= length;
    return all.subarray(0, length);
  }
}
