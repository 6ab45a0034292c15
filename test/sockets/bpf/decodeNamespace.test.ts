import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeNamespace } from '../../../src/sockets/bpf/decodeNamespace.ts';
import { encodeRecord, RECORD_BYTES } from './encode.ts';

const u32 = fc.integer({ min: 1, max: 0xffff_ffff });
const port = fc.integer({ min: 1, max: 65_535 });

it('a namespace is decoded to what the kernel told of it', () => {
  fc.assert(
    fc.property(
      ...([port, port, fc.integer({ min: 0, max: 3 }), fc.nat(2), fc.nat(2), u32] as const),
      ...([u32, u32, u32, u32, u32, u32, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n })] as const),
      (first, last, reuse, timestamps, accept, delay, fin, alive, low, high, udpLow, udpHigh, cookie) => {
        const bytes = new DataView(new ArrayBuffer(RECORD_BYTES));
        const remote = [fin, alive, low, high];
        const range = { port: first, remotePort: last };
        encodeRecord({ ...range, remote, inode: udpLow, device: udpHigh, cgroup: cookie }, bytes);
        const words = new Int32Array(bytes.buffer);
        for (const [index, value] of [reuse, timestamps, accept, delay].entries()) words[4 + index] = value;
        expect(decodeNamespace(words, 0)).toEqual({
          cookie: `${cookie >> 32n}:${cookie & 0xffff_ffffn}`,
          sysctls: {
            range: { first, last },
            twReuse: reuse === 3 ? 0 : reuse,
            timestamps: timestamps !== 0,
            l3mdevAccept: accept !== 0,
            twReuseDelayMs: delay,
          },
          ...{ reservesPorts: false, hasOwnTable: false, udpTable: `${udpHigh}:${udpLow}` },
          ...{ finTimeout: fin, keepaliveInterval: alive, net: [low, high] },
        });
      },
    ),
  );
});

it.each([
  [16, { hasOwnTable: true, reservesPorts: false }],
  [32, { hasOwnTable: false, reservesPorts: true }],
])('the flag %i tells %j', (flag, expected) => {
  const bytes = new Uint8Array(RECORD_BYTES);
  bytes[2] = flag;
  expect(decodeNamespace(new Int32Array(bytes.buffer), 0)).toMatchObject({ ...expected, udpTable: '' });
});
