import { ExporterError } from '../../base/errors.ts';
import type { SocketRecord } from '../record.ts';
import { fillRecord, type Layout } from './fillRecord.ts';
import { LineCursor } from './line.ts';

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
    fillRecord(this.#record, this.#cursor, this.#layout);
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

function headerPattern(columns: string): RegExp {
  return new RegExp(`^ *${columns.replaceAll(' ', ' +')}(?: .*)?$`);
}

function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').trimEnd();
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return shown.replaceAll(/[^ -~]/g, '?');
}
