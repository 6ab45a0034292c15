import { ExporterError } from '../../base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { type Family, type SocketRecord, TcpState, TIME_WAIT_MS } from '../record.ts';
import { LineCursor } from './line.ts';

export interface Layout {
  readonly protocol: 'tcp' | 'udp';
  readonly family: Family;
}

/**
 * A file of /proc/net in pieces of any size. Each socket is put into `record`, then `visit` is called, which returns
 * false to stop; `push` then returns false as well.
 *
 * One line is, in get_tcp4_sock of net/ipv4/tcp_ipv4.c and udp4_format_sock of net/ipv4/udp.c (IPv6 prints four %08X for
 * an address and the same columns otherwise; TIME_WAIT and request sockets have their own formats with these columns):
 *
 *     "%4d: %08X:%04X %08X:%04X %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %pK ..."
 *      sl   local     remote    st   tx   rx   tr   when  retr uid tmo inode ref pointer
 *
 * followed by the drops with UDP. Lines are padded with spaces to 149 columns (tcp) or 127 (udp), not with IPv6.
 */
export class TableParser {
  readonly #path: string;
  readonly #layout: Layout;
  readonly #record: SocketRecord;
  readonly #visit: (record: SocketRecord) => boolean;
  readonly #cursor = new LineCursor();
  /** A line's beginning, when its end is in the next piece. */
  readonly #carried = new Uint8Array(LINE_LIMIT + 1);
  #carriedLength = 0;
  #line = 0;
  #stopped = false;

  constructor(path: string, layout: Layout, record: SocketRecord, visit: (record: SocketRecord) => boolean) {
    this.#path = path;
    this.#layout = layout;
    this.#record = record;
    this.#visit = visit;
  }

  push(chunk: Uint8Array): boolean {
    let begin = 0;
    while (begin < chunk.length && !this.#stopped) {
      const newline = chunk.indexOf(NEWLINE, begin);
      const end = newline === -1 ? chunk.length : newline;
      if (this.#carriedLength + end - begin > LINE_LIMIT) {
        throw this.#unexpected(this.#line + 1, `a line of at most ${LINE_LIMIT} bytes`);
      }
      if (newline === -1) {
        this.#carry(chunk.subarray(begin));
      } else if (this.#carriedLength > 0) {
        this.#carry(chunk.subarray(begin, newline + 1));
        const length = this.#carriedLength;
        this.#carriedLength = 0;
        this.#take(this.#carried, 0, length - 1);
      } else {
        this.#take(chunk, begin, newline);
      }
      begin = end + 1;
    }
    return !this.#stopped;
  }

  /** To be called when there is no more: a file that ends too early is half a table. */
  end(): void {
    if (this.#stopped) return;
    if (this.#carriedLength > 0) {
      throw this.#unexpected(this.#line + 1, 'a newline', this.#carried.subarray(0, this.#carriedLength));
    }
    if (this.#line === 0) throw new ExporterError(`${this.#path} is empty: expected the header line`);
  }

  #carry(bytes: Uint8Array): void {
    this.#carried.set(bytes, this.#carriedLength);
    this.#carriedLength += bytes.length;
  }

  /** `bytes[end]` is the newline. */
  #take(bytes: Uint8Array, begin: number, end: number): void {
    this.#line++;
    if (this.#line === 1) {
      const text = Buffer.from(bytes.subarray(begin, end)).toString('latin1');
      const columns = COLUMNS[this.#layout.protocol];
      if (!columns.test(text)) {
        throw this.#unexpected(1, 'the header line "sl local_address ..."', bytes.subarray(begin, end));
      }
      return;
    }
    this.#cursor.start(bytes, begin, end);
    fill(this.#record, this.#cursor, this.#layout);
    const { expected } = this.#cursor;
    if (expected !== undefined) throw this.#unexpected(this.#line, expected, bytes.subarray(begin, end));
    this.#stopped = !this.#visit(this.#record);
  }

  #unexpected(line: number, expected: string, bytes?: Uint8Array): ExporterError {
    const got = bytes === undefined ? '' : `, got "${printable(bytes)}"`;
    return new ExporterError(`${this.#path} line ${line}: expected ${expected}${got}`);
  }
}

const NEWLINE = 10;

/** Bytes. The kernel's longest line has less than 250. */
const LINE_LIMIT = 1024;

/** tcp_ipv4.c says rem_address where tcp_ipv6.c says remote_address; `ref pointer drops` came to udp in 2.6.27. */
const TCP_COLUMNS =
  'sl local_address rem(?:ote)?_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode';
const COLUMNS = {
  tcp: headerPattern(TCP_COLUMNS),
  udp: headerPattern(`${TCP_COLUMNS} ref pointer drops`),
};

/** The timer column of a TIME_WAIT socket: TIME_WAIT, or the FIN_WAIT2 that became one early. */
const TIMER_TIME_WAIT = 3;

/** Of jiffies_delta_to_clock_t(): USER_HZ is 100. */
const CLOCK_TICK_MS = 10;

/** The word of ::ffff:a.b.c.d before its IPv4 address. */
const MAPPED_PREFIX = 0xffff;

function headerPattern(columns: string): RegExp {
  return new RegExp(`^ *${columns.replaceAll(' ', ' +')}(?: .*)?$`);
}

function fill(record: SocketRecord, line: LineCursor, layout: Layout): void {
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

function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').trimEnd();
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return shown.replaceAll(/[^ -~]/g, '?');
}
