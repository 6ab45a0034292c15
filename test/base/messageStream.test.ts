import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMessages, writeMessage } from '../../src/base/messageStream.ts';

/** Two ends of a connection, and what ends both. */
async function connection(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const near = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  const [far]: Socket[] = await once(server, 'connection');
  if (far === undefined) throw new Error('no connection');
  return {
    near,
    far,
    close() {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}

/** What is heard of `bytes` that arrive in pieces of such lengths. */
async function heardOf(bytes: Buffer, lengths: readonly number[]): Promise<unknown[]> {
  const { near, far, close } = await connection();
  const heard: unknown[] = [];
  readMessages(far, (message) => heard.push(message));
  let at = 0;
  for (const length of [...lengths, bytes.length]) {
    near.write(bytes.subarray(at, at + length));
    at += length;
    await new Promise(setImmediate);
  }
  near.end();
  await once(far, 'close');
  close();
  return heard;
}

/** The bytes of messages. */
async function bytesOf(messages: readonly unknown[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = { write: (chunk: Buffer) => chunks.push(chunk) > 0 } as unknown as Socket;
  for (const message of messages) writeMessage(socket, message);
  return Buffer.concat(chunks);
}

describe('a stream of messages', () => {
  it('carries what a sample is made of', async () => {
    const messages = [{ map: new Map([['a', new Set([1n])]]), nothing: undefined }, [], 'é', 1.5];
    expect(await heardOf(await bytesOf(messages), [])).toEqual(messages);
  });

  it('is the same however its bytes arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string({ maxLength: 50 }), fc.nat(), fc.constant(undefined)), { maxLength: 5 }),
        fc.array(fc.nat({ max: 20 }), { maxLength: 10 }),
        async (messages, lengths) => {
          expect(await heardOf(await bytesOf(messages), lengths)).toEqual(messages);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('ends where it holds no messages, with one line', async () => {
    for (const bytes of [Buffer.alloc(8, 0xff), Buffer.from([2, 0, 0, 0, 1, 2])]) {
      const { near, far, close } = await connection();
      const failed = once(far, 'error');
      readMessages(far, () => expect.unreachable());
      near.write(bytes);
      const [error] = await failed;
      expect(String(error)).toMatch(
        /^ExporterError: (message of \d+ bytes: expected at most|unreadable message)/,
      );
      close();
    }
  });

  it('says when the other end should be waited for', async () => {
    const { near, close } = await connection();
    expect(writeMessage(near, 'short')).toBe(true);
    expect(writeMessage(near, 'x'.repeat(1_000_000))).toBe(false);
    close();
  }, 10_000);
});
