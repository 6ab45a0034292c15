const NEWLINE = 10;
const SPACE = 32;
const COLON = 58;

/** The value of each hex digit, and -1 for every other byte: or-ing digits shows by its sign whether one was wrong. */
const HEX = hexDigits();

/**
 * A cursor over one line of bytes. A field that does not parse is remembered in `expected`, the first one only, and
 * whatever is read after it means nothing: check once, at the end of the line.
 */
export class LineCursor {
  expected: string | undefined;
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;

  /** @param end where the line's newline is: it is neither digit nor space, so no field runs past it. */
  start(bytes: Uint8Array, begin: number, end: number): void {
    this.expected = undefined;
    this.#bytes = bytes;
    this.#at = begin;
    this.#end = end;
  }

  spaces(): void {
    while (this.#bytes[this.#at] === SPACE) this.#at++;
  }

  colon(): void {
    if (this.#bytes[this.#at] === COLON) this.#at++;
    else this.#fail('a colon');
  }

  /** Spaces, or the end of the line. */
  gap(): void {
    const byte = this.#bytes[this.#at];
    if (byte === SPACE) this.spaces();
    else if (byte !== NEWLINE) this.#fail('a space');
  }

  /** Any text up to the next gap. */
  word(what: string): void {
    const begin = this.#at;
    let at = begin;
    while (at < this.#end && this.#bytes[at] !== SPACE) at++;
    this.#at = at;
    if (at === begin) this.#fail(what);
  }

  /** Exactly so many hex digits, at most 8; 8 of them make a signed number. */
  hex(digits: number, what: string): number {
    const bytes = this.#bytes;
    const at = this.#at;
    let value = 0;
    let all = 0;
    for (let i = 0; i < digits; i++) {
      const digit = HEX[bytes[at + i] ?? 0] ?? -1;
      all |= digit;
      value = (value << 4) | digit;
    }
    this.#at = at + digits;
    if (all < 0) this.#fail(what);
    return value;
  }

  /** A C `%08lX`: 8 hex digits, or up to 16 where the number needs them. */
  longHex(what: string): number {
    let value = this.hex(8, what) >>> 0;
    for (let more = 0; this.expected === undefined; more++) {
      const digit = HEX[this.#bytes[this.#at] ?? 0] ?? -1;
      if (digit < 0) break;
      if (more === 8) this.#fail(what);
      value = value * 16 + digit;
      this.#at++;
    }
    return value;
  }

  /** One or more decimal digits, up to the largest safe integer. */
  decimal(what: string): number {
    const begin = this.#at;
    let at = begin;
    let value = 0;
    for (; ; at++) {
      const digit = (this.#bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.#at = at;
    if (at === begin || value > Number.MAX_SAFE_INTEGER) this.#fail(what);
    return value;
  }

  /** Stays on the newline from here on, which no field accepts. */
  #fail(what: string): void {
    this.expected ??= what;
    this.#at = this.#end;
  }
}

function hexDigits(): Int8Array {
  const digits = new Int8Array(256).fill(-1);
  for (let value = 0; value < 16; value++) {
    const digit = value.toString(16);
    digits[digit.charCodeAt(0)] = value;
    digits[digit.toUpperCase().charCodeAt(0)] = value;
  }
  return digits;
}
