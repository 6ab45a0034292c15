import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../../src/base/errors.ts';
import type { Layout } from '../../../src/sockets/procfs/fillRecord.ts';
import { TableParser } from '../../../src/sockets/procfs/table.ts';
import { SocketRecord } from '../../../src/sockets/record.ts';
import { type Row, toRow } from '../records.ts';

const TCP4: Layout = { protocol: 'tcp', family: 4 };
const TCP6: Layout = { protocol: 'tcp', family: 6 };
const UDP4: Layout = { protocol: 'udp', family: 4 };
const LAYOUTS: Layout[] = [TCP4, TCP6, UDP4, { protocol: 'udp', family: 6 }];

const TCP_HEADER =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'.padEnd(
    149,
  );
const TCP6_HEADER =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const UDP_HEADER =
  '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops'.padEnd(
    127,
  );

const UNKNOWN = { timeWaitAgeMs: -1, v6only: false, receiveQueue: -1, backlogLimit: -1, drops: -1 };

describe('a line of the kernel', () => {
  it.each<[string, Layout, string, Partial<Row>]>([
    [
      'an IPv4 listener',
      TCP4,
      '   1: 0100007F:18EB 00000000:0000 0A 00000000:00000003 00:00000000 00000000   106        0 21093 1 0000000000000000 100 0 0 10 0'.padEnd(
        149,
      ),
      { state: 10, local: '127.0.0.1:6379', remote: '0.0.0.0:0', ...UNKNOWN, receiveQueue: 3, inode: 21093 },
    ],
    [
      'an IPv4 connection: its queue is not reported',
      TCP4,
      '   7: 0A0200C0:D0B8 056433C6:1538 01 00000000:00000009 02:00001130 00000000  1001        0 21567 2 0000000000000000 20 4 30 10 -1',
      { state: 1, local: '192.0.2.10:53432', remote: '198.51.100.5:5432', ...UNKNOWN, inode: 21567 },
    ],
    [
      'an address whose first word is negative',
      TCP4,
      '   7: FEFFFFFE:D0B8 FFFFFFFF:1538 02 00000001:00000000 01:00000064 00000000     0        0 7 2 0 20 4 30 10 -1',
      { state: 2, local: '254.255.255.254:53432', remote: '255.255.255.255:5432', inode: 7 },
    ],
    [
      'TIME_WAIT, 59.3 s left',
      TCP4,
      '  10: 0100007F:BB98 0100007F:18EB 06 00000000:00000000 03:0000172A 00000000     0        0 0 3 0000000000000000',
      { state: 6, ...UNKNOWN, timeWaitAgeMs: 700, inode: 0 },
    ],
    [
      'TIME_WAIT with more left than it can have',
      TCP4,
      '  10: 0100007F:BB98 0100007F:18EB 06 00000000:00000000 03:0001772A 00000000     0        0 0 3 0000000000000000',
      { state: 6, ...UNKNOWN, timeWaitAgeMs: 0 },
    ],
    [
      'a FIN_WAIT2 minisocket, which has TIME_WAIT\u2019s timer',
      TCP4,
      '  10: 0100007F:BB98 0100007F:18EB 05 00000000:00000000 03:0000172A 00000000     0        0 0 3 0000000000000000',
      { state: 5, ...UNKNOWN },
    ],
    [
      'a timer of more than 32 bits',
      TCP4,
      '  10: 0100007F:BB98 0100007F:18EB 01 00000000:00000000 02:123456789A 00000000     0        0 4 3 (ptrval)',
      { state: 1, ...UNKNOWN, inode: 4 },
    ],
    [
      'a request socket',
      TCP6,
      '   9: 0000000000000000FFFF00000A0200C0:01BB 0000000000000000FFFF00007E6433C6:C046 03 00000000:00000000 01:00000032 00000000     0        0 0 0 0000000000000000',
      {
        socketFamily: 6,
        family: 4,
        state: 3,
        local: '192.0.2.10:443',
        remote: '198.51.100.126:49222',
        inode: 0,
      },
    ],
    [
      'a native IPv6 connection',
      TCP6,
      '   3: B80D0120000001000000000010000000:8C78 B80D0120000002000000000007000000:01BB 01 00000000:00000000 00:00000000 00000000  1001        0 21284 1 0000000000000000 20 4 30 10 -1',
      {
        socketFamily: 6,
        family: 6,
        local: '[2001:db8:1::10]:35960',
        remote: '[2001:db8:2::7]:443',
        ...UNKNOWN,
      },
    ],
    [
      'a dual-stack listener',
      TCP6,
      '   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000001 00:00000000 00000000    33        0 21124 1 0000000000000000 100 0 0 10 0',
      { socketFamily: 6, family: 6, local: '[::]:443', remote: '[::]:0', receiveQueue: 1, v6only: false },
    ],
    [
      'a listener on a mapped address',
      TCP6,
      '   0: 0000000000000000FFFF00000100007F:01BB 00000000000000000000000000000000:0000 0A 00000000:00000001 00:00000000 00000000    33        0 21124 1 0000000000000000 100 0 0 10 0',
      { socketFamily: 6, family: 4, local: '127.0.0.1:443', remote: '0.0.0.0:0' },
    ],
    [
      'an unconnected UDP socket with drops',
      UDP4,
      ' 4770: 00000000:A2A9 00000000:0000 07 00000000:00001A40 00:00000000 00000000     0        0 24197 2 0000000000000000 17        ',
      { state: 7, local: '0.0.0.0:41641', ...UNKNOWN, receiveQueue: 6720, drops: 17, inode: 24197 },
    ],
  ])('is %s', (_, layout, line, expected) => {
    const rows = parse(layout, `${headerOf(layout)}\n${line}\n`);
    expect(rows).toEqual([expect.objectContaining(expected)]);
  });

  it('fills every field anew', () => {
    const [listen, connection] = TABLE_LINES;
    const rows = parse(TCP4, `${TCP_HEADER}\n${listen}\n${connection}\n${listen}\n`);
    expect(rows[2]).toEqual(rows[0]);
    expect(rows[1]).not.toEqual(rows[0]);
  });
});

const TABLE_LINES = [
  '   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21042 1 0000000000000000 100 0 0 10 0',
  '   1: 0A0200C0:8790 056433C6:1538 01 00000000:00000000 00:00000000 00000000  1001        0 21530 1 0000000000000000 20 4 30 10 -1',
];

describe('rubbish', () => {
  const good = TABLE_LINES[1] ?? '';
  it.each<[string, string, string]>([
    ['nothing', '', '/x/net/tcp is empty: expected the header line'],
    [
      'no header',
      `${good}\n`,
      `/x/net/tcp line 1: expected the header line "sl local_address ...", got "${good.slice(0, 80)}..."`,
    ],
    [
      'a header cut short',
      TCP_HEADER.slice(0, 40),
      `/x/net/tcp line 1: expected a newline, got "${TCP_HEADER.slice(0, 40)}"`,
    ],
    [
      'a line cut short',
      `${TCP_HEADER}\n${good}`,
      `/x/net/tcp line 2: expected a newline, got "${good.slice(0, 80)}..."`,
    ],
    ['a blank line', `${TCP_HEADER}\n\n`, '/x/net/tcp line 2: expected a line number, got ""'],
    [
      'a line that ends in a field',
      `${TCP_HEADER}\n${good}\n${good.slice(0, 17)}\n`,
      '/x/net/tcp line 3: expected a port in 4 hex digits, got "   1: 0A0200C0:87"',
    ],
    [
      'an address that is not hex',
      `${TCP_HEADER}\n${good.replace('0A02', '0A\tG')}\n`,
      `/x/net/tcp line 2: expected an address in hex digits, got "${good.replace('0A02', '0A?G').slice(0, 80)}..."`,
    ],
    [
      'an IPv6 address in the IPv4 table',
      `${TCP_HEADER}\n   0: 00000000000000000000000000000000:01BB 0\n`,
      '/x/net/tcp line 2: expected a colon, got "   0: 00000000000000000000000000000000:01BB 0"',
    ],
    [
      'an endless line',
      `${TCP_HEADER}\n${' '.repeat(5000)}`,
      '/x/net/tcp line 2: expected a line of at most 1024 bytes',
    ],
    [
      'an inode too big for a number',
      `${TCP_HEADER}\n${good.replace('21530', '9'.repeat(20))}\n`,
      `/x/net/tcp line 2: expected an inode number, got "${good.slice(0, 80)}..."`,
    ],
  ])('%s is one clear line', (_, text, message) => {
    expect(() => parse(TCP4, text)).toThrow(new ExporterError(message));
  });

  it.each<[string, Layout, string]>([
    ['tcp6', TCP6, `${TCP6_HEADER}\n${TABLE_LINES[0]}\n`],
    ['udp', UDP4, `${UDP_HEADER}\n${TABLE_LINES[0]?.slice(0, 92)}\n`],
    ['udp', UDP4, `${TCP_HEADER}\n`],
  ])('another table\u2019s lines are an error in %s', (_, layout, text) => {
    expect(() => parse(layout, text)).toThrow(ExporterError);
  });
});

it('stops when the visitor has enough, and does not miss the rest', () => {
  const seen: Row[] = [];
  const parser = new TableParser('/x/net/tcp', TCP4, new SocketRecord(), (record) => {
    seen.push(toRow(record));
    return false;
  });
  expect(parser.push(Buffer.from(`${TCP_HEADER}\n${TABLE_LINES.join('\n')}\nrubbish`))).toBe(false);
  parser.end();
  expect(seen).toHaveLength(1);
});

describe('properties', () => {
  it('any lines of the kernel, in pieces of any size, come back', () => {
    const table = fc
      .constantFrom(...LAYOUTS)
      .chain((layout) => fc.record({ layout: fc.constant(layout), sockets: fc.array(socket(layout)) }));
    const pieces = fc.infiniteStream(fc.integer({ min: 1, max: 400 }));
    fc.assert(
      fc.property(table, pieces, ({ layout, sockets }, sizes) => {
        const lines = sockets.map((one, index) => print(layout, index, one));
        const text = [headerOf(layout), ...lines].map((line) => `${line}\n`).join('');
        expect(parse(layout, text, sizes)).toEqual(sockets.map((one) => expectedRow(layout, one)));
      }),
    );
  });

  it('any bytes give sockets or one ExporterError, whatever the pieces', () => {
    const header = fc.constantFrom('', ...LAYOUTS.map((layout) => `${headerOf(layout)}\n`));
    const rest = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.string({ unit: fc.constantFrom(...'0123456789ABCDEF: \n'), maxLength: 3000 }),
      mutatedLines(),
    );
    const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 700 }));
    fc.assert(
      fc.property(fc.constantFrom(...LAYOUTS), header, rest, sizes, (layout, start, more, pieces) => {
        const whole = outcome(() => parse(layout, start + more));
        expect(outcome(() => parse(layout, start + more, pieces))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });
});

interface Socket {
  local: number[];
  remote: number[];
  localPort: number;
  remotePort: number;
  state: number;
  receiveQueue: number;
  ticks: number;
  inode: number;
  drops: number;
  padding: number;
}

function socket(layout: Layout): fc.Arbitrary<Socket> {
  const port = fc.integer({ min: 0, max: 65_535 });
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const bytes = (count: number) =>
    fc.array(fc.integer({ min: 0, max: 255 }), { minLength: count, maxLength: count });
  const mapped = bytes(4).map((last) => [...MAPPED_START, ...last]);
  const native = bytes(16).filter((all) => !isMapped(all));
  const pair = (address: fc.Arbitrary<number[]>) => fc.tuple(address, address);
  const addresses = layout.family === 4 ? pair(bytes(4)) : fc.oneof(pair(mapped), pair(native));
  return fc
    .record({
      addresses,
      localPort: port,
      remotePort: port,
      state: fc.integer({ min: 1, max: 13 }),
      receiveQueue: u32,
      ticks: fc.integer({ min: 0, max: 6100 }),
      inode: u32,
      drops: u32,
      padding: fc.integer({ min: 0, max: 60 }),
    })
    .map(({ addresses: [local, remote], ...rest }) => ({ ...rest, local, remote }));
}

const MAPPED_START = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function isMapped(bytes: number[]): boolean {
  return bytes.length === 16 && MAPPED_START.every((byte, index) => bytes[index] === byte);
}

/** The kernel's printf, on a little-endian machine as all of the tests' are. */
function print(layout: Layout, index: number, one: Socket): string {
  const hex = (value: number, width: number) => value.toString(16).toUpperCase().padStart(width, '0');
  const address = (bytes: number[]) => {
    const view = new DataView(Uint8Array.from(bytes).buffer);
    return bytes.map((_, at) => (at % 4 === 0 ? hex(view.getUint32(at, true), 8) : '')).join('');
  };
  const timer = one.state === 6 ? 3 : 0;
  return (
    `${String(index).padStart(4)}: ${address(one.local)}:${hex(one.localPort, 4)} ` +
    `${address(one.remote)}:${hex(one.remotePort, 4)} ${hex(one.state, 2)} 00000000:${hex(one.receiveQueue, 8)} ` +
    `${hex(timer, 2)}:${hex(one.ticks, 8)} 00000000 ${'0'.padStart(5)} ${'0'.padStart(8)} ${one.inode} 2 ` +
    `0000000000000000 ${layout.protocol === 'udp' ? one.drops : '20 4 30 10 -1'}${' '.repeat(one.padding)}`
  );
}

function expectedRow(layout: Layout, one: Socket): Row {
  const record = new SocketRecord();
  const mapped = isMapped(one.local);
  const words = (bytes: number[]): [number, number, number, number] => {
    const view = new DataView(
      Uint8Array.from([...bytes.slice(mapped ? 12 : 0), ...Array(12).fill(0)]).buffer,
    );
    return [view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12)];
  };
  record.socketFamily = layout.family;
  record.family = mapped ? 4 : layout.family;
  [record.local0, record.local1, record.local2, record.local3] = words(one.local);
  [record.remote0, record.remote1, record.remote2, record.remote3] = words(one.remote);
  record.localPort = one.localPort;
  record.remotePort = one.remotePort;
  record.state = one.state;
  record.inode = one.inode;
  if (one.state === 6) record.timeWaitAgeMs = Math.max(0, 60_000 - one.ticks * 10);
  if (layout.protocol === 'udp') record.drops = one.drops;
  if (layout.protocol === 'udp' || one.state === 10) record.receiveQueue = one.receiveQueue;
  return toRow(record);
}

/** Good lines in which a few characters are not. */
function mutatedLines(): fc.Arbitrary<string> {
  const lines = fc
    .constantFrom(...LAYOUTS)
    .chain((layout) =>
      fc
        .array(socket(layout), { maxLength: 6 })
        .map((all) => all.map((one, index) => `${print(layout, index, one)}\n`).join('')),
    );
  const edits = fc.array(fc.tuple(fc.nat(1000), fc.constantFrom(...'0F: \nG\0\u00ff')), { maxLength: 3 });
  return fc
    .tuple(lines, edits)
    .map(([text, changes]) =>
      changes.reduce((all, [at, character]) => all.slice(0, at) + character + all.slice(at + 1), text),
    );
}

function headerOf(layout: Layout): string {
  if (layout.protocol === 'udp') return UDP_HEADER;
  return layout.family === 4 ? TCP_HEADER : TCP6_HEADER;
}

/** All of `text` in one piece, or in pieces of these sizes, each in the same reused buffer. */
function parse(layout: Layout, text: string, sizes: Iterator<number> = [text.length].values()): Row[] {
  const rows: Row[] = [];
  const parser = new TableParser('/x/net/tcp', layout, new SocketRecord(), (record) => {
    rows.push(toRow(record));
    return true;
  });
  const bytes = Buffer.from(text, 'latin1');
  const buffer = Buffer.alloc(bytes.length);
  for (let at = 0; at < bytes.length; ) {
    const size: number = sizes.next().value ?? bytes.length;
    const length = bytes.copy(buffer, 0, at, Math.min(at + size, bytes.length));
    parser.push(buffer.subarray(0, length));
    at += length;
  }
  parser.end();
  return rows;
}

/** The message of an ExporterError, or the result; anything else thrown fails the test. */
function outcome(run: () => Row[]): Row[] | string {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof ExporterError) return thrown.message;
    throw thrown;
  }
}
