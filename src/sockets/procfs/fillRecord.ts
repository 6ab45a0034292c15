import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { type Family, type SocketRecord, TcpState, TIME_WAIT_MS } from '../record.ts';
import type { LineCursor } from './line.ts';

export interface Layout {
  readonly protocol: 'tcp' | 'udp';
  readonly family: Family;
}

/** The timer column of a TIME_WAIT socket: TIME_WAIT, or the FIN_WAIT2 that became one early. */
const TIMER_TIME_WAIT = 3;

/** Of jiffies_delta_to_clock_t(): USER_HZ is 100. */
const CLOCK_TICK_MS = 10;

/** The word of ::ffff:a.b.c.d before its IPv4 address. */
const MAPPED_PREFIX = 0xffff;

/** Puts the socket of a line into the record. What does not fit is told by the cursor. */
export function fillRecord(record: SocketRecord, line: LineCursor, layout: Layout): void {
  line.spaces();
  line.decimal('a line number');
  line.colon();
  line.gap();
  if (layout.family === 4) addresses4(record, line);
  else addresses6(record, line);
  const state = line.hex(2, 'a state in 2 hex digits');
  line.gap();
  line.hex(8, 'a send queue in 8 hex digits');
  line.colon();
  const receiveQueue = line.hex(8, 'a receive queue in 8 hex digits') >>> 0;
  line.gap();
  const timer = line.hex(2, 'a timer in 2 hex digits');
  line.colon();
  const ticks = line.longHex('clock ticks in 8 to 16 hex digits');
  line.gap();
  line.hex(8, 'retransmits in 8 hex digits');
  line.gap();
  line.decimal('a user id');
  line.gap();
  line.decimal('a timeout');
  line.gap();
  record.inode = line.decimal('an inode number');
  line.gap();

  record.socketFamily = layout.family;
  record.state = state;
  const inTimeWait = state === TcpState.TIME_WAIT && timer === TIMER_TIME_WAIT;
  record.timeWaitAgeMs = inTimeWait ? Math.max(0, TIME_WAIT_MS - ticks * CLOCK_TICK_MS) : -1;
  record.id = record.inode;
  record.v6only = false;
  record.backlogLimit = -1;
  if (layout.protocol === 'tcp') {
    record.receiveQueue = state === TcpState.LISTEN ? receiveQueue : -1;
    record.drops = -1;
    return;
  }
  record.receiveQueue = receiveQueue;
  line.word('a reference count');
  line.gap();
  // "(ptrval)" on some kernels, before they have gathered the entropy to hash it.
  line.word('a pointer');
  line.gap();
  record.drops = line.decimal('a number of drops');
  line.gap();
}

function addresses4(record: SocketRecord, line: LineCursor): void {
  record.family = 4;
  record.local0 = addressWord(line);
  record.local1 = 0;
  record.local2 = 0;
  record.local3 = 0;
  record.localPort = port(line);
  record.remote0 = addressWord(line);
  record.remote1 = 0;
  record.remote2 = 0;
  record.remote3 = 0;
  record.remotePort = port(line);
}

function addresses6(record: SocketRecord, line: LineCursor): void {
  record.family = 6;
  record.local0 = addressWord(line);
  record.local1 = addressWord(line);
  record.local2 = addressWord(line);
  record.local3 = addressWord(line);
  record.localPort = port(line);
  record.remote0 = addressWord(line);
  record.remote1 = addressWord(line);
  record.remote2 = addressWord(line);
  record.remote3 = addressWord(line);
  record.remotePort = port(line);
  if (isMapped(record)) toFamily4(record);
}

/** %08X prints the 4 bytes as a number of this machine. */
function addressWord(line: LineCursor): number {
  const word = line.hex(8, 'an address in hex digits');
  if (!HOST_IS_LITTLE_ENDIAN) return word;
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function port(line: LineCursor): number {
  line.colon();
  const number = line.hex(4, 'a port in 4 hex digits');
  line.gap();
  return number;
}

/** The local address tells: a socket bound to a mapped one and not connected has the remote address `::`. */
function isMapped(record: SocketRecord): boolean {
  return record.local0 === 0 && record.local1 === 0 && record.local2 === MAPPED_PREFIX;
}

function toFamily4(record: SocketRecord): void {
  record.family = 4;
  record.local0 = record.local3;
  record.local2 = 0;
  record.local3 = 0;
  record.remote0 = record.remote3;
  record.remote1 = 0;
  record.remote2 = 0;
  record.remote3 = 0;
}
