import { releaseAtLeast } from '../kernel/release.ts';

/** What holds one port of the range towards one destination: a byte of these bits, 0 where it is free. */
export const Held = {
  HELD: 1,
  /** By something established, or in TIME_WAIT. */
  ESTABLISHED: 2,
  TIME_WAIT: 4,
  /** By something that no new connection may end. */
  FIRM: 8,
} as const;

/** NF_NAT_MAX_ATTEMPTS and NF_NAT_HARDER_THRESH of `net/netfilter/nf_nat_core.c`. */
const LONGEST_WINDOW = 128;
const SHORTEST_WINDOW = 8;
export const EVICTING_TRIES = 32;
/** The kernel's offset is a u16, and wraps. */
const OFFSETS = 65_536;
/** Of larger ranges windows next to never meet. */
const FEW_PORTS = 8192;
/** Looked at of so many ports, and of fewer ports more of them, for the same time. */
const FEWEST_HALVES = 8;

/**
 * Share of new packets that find no port, and are dropped: of those whose own port is not kept. The kernel tries windows of
 * consecutive ports, each from a random offset: 128, 64, 32, 16 and 8 of them, or all ports once where there are no more
 * than 128. In the last 32 tries of a window it may end a connection that is closing instead, if the sequence number has
 * advanced: half of the time for connections that have nothing to do with each other.
 *
 * A packet has one sequence number: what it cannot end in one window it cannot end in the next. So of ranges in which windows
 * meet, this is the mean over halves of the closing connections, each of which some packet could end: over all of them where
 * few are closing, else a few per cent off.
 *
 * @param held for each port of the range a byte of `Held`
 * @param count of ports in the range
 * @param evicts whether the kernel ends closing connections
 */
export function refusalRatio(held: Uint8Array, count: number, evicts: boolean): number {
  const closing = evicts ? closingPorts(held, count) : [];
  const windowsMeet = count > LONGEST_WINDOW && count <= FEW_PORTS;
  if (closing.length === 0 || !windowsMeet) return productOfWindows(held, count, () => evicts, 0.5);
  const halves = Math.floor((FEW_PORTS * FEWEST_HALVES) / count) & ~1;
  return 2 ** closing.length <= halves
    ? meanOver(2 ** closing.length, (half) => {
        const mayEnd = new Set(closing.filter((_, nth) => (half >> nth) & 1));
        return productOfWindows(held, count, (port) => mayEnd.has(port), 0);
      })
    : meanOver(halves, (half) => {
        // Each half beside its other one: together they are even.
        const [turn, side] = [half >> 1, half & 1];
        return productOfWindows(held, count, (port) => (mixed(port, turn) & 1) === side, 0);
      });
}

function meanOver(halves: number, refusalOf: (half: number) => number): number {
  let sum = 0;
  for (let half = 0; half < halves; half++) sum += refusalOf(half);
  return sum / halves;
}

/** Kernels since 6.5 do (`nf_nat_used_tuple_harder()`), but never for UDP. */
export function evictsClosing(kernelRelease: string): boolean {
  return releaseAtLeast(kernelRelease, 6, 5);
}

/** What a port is to a packet. */
const FREE = 0;
const TAKEN = 1;
const CLOSING = 2;

function closingPorts(held: Uint8Array, count: number): number[] {
  const ports: number[] = [];
  for (let port = 0; port < count; port++) if (isClosing(held[port] as number)) ports.push(port);
  return ports;
}

function isClosing(port: number): boolean {
  return port !== 0 && (port & Held.FIRM) === 0;
}

/** Bits of no order, always the same: the finalizer of MurmurHash3. */
function mixed(port: number, turn: number): number {
  let bits = Math.imul(port + 1, 0x9e3779b1) ^ Math.imul(turn + 1, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** @param stays the chance that one of those that `mayEnd` is not ended all the same */
function productOfWindows(
  held: Uint8Array,
  count: number,
  mayEnd: (port: number) => boolean,
  stays: number,
): number {
  for (let port = 0; port < count; port++) {
    const one = held[port] as number;
    LINE[port] = one === 0 ? FREE : isClosing(one) && mayEnd(port) ? CLOSING : TAKEN;
  }
  // As offsets go on: from the last port to the first.
  for (let offset = count; offset < count + LONGEST_WINDOW; offset++)
    LINE[offset] = LINE[offset % count] as number;
  let ratio = 1;
  for (const length of windowsOf(count)) {
    ratio *= refusedOffsets(count, { length, stays }) / OFFSETS;
    if (ratio === 0) return 0;
  }
  return ratio;
}

const LINE = new Uint8Array(OFFSETS + LONGEST_WINDOW);
const WRAPPING = new Uint8Array(2 * LONGEST_WINDOW);

/** Lengths of the windows that are tried one after the other in a range of so many ports. */
export function windowsOf(count: number): number[] {
  if (count <= LONGEST_WINDOW) return [count];
  const lengths: number[] = [];
  for (let length = LONGEST_WINDOW; length >= SHORTEST_WINDOW; length /= 2) lengths.push(length);
  return lengths;
}

interface Window {
  readonly length: number;
  readonly stays: number;
}

/**
 * Of all offsets, those from which a window finds nothing, by the chance that it ends nothing either. They repeat themselves
 * after as many as there are ports, but for those whose window wraps.
 */
function refusedOffsets(count: number, window: Window): number {
  const unwrapped = OFFSETS - window.length + 1;
  const periods = Math.floor(unwrapped / count);
  for (let at = 0; at < 2 * window.length; at++) {
    WRAPPING[at] = LINE[((unwrapped + at) % OFFSETS) % count] as number;
  }
  return (
    (periods === 0 ? 0 : periods * refusedFirst(LINE, count, window)) +
    refusedFirst(LINE, unwrapped % count, window) +
    refusedFirst(WRAPPING, window.length - 1, window)
  );
}

/** The same of the first `offsets` of a line: slides the window over it. */
function refusedFirst(line: Uint8Array, offsets: number, { length, stays }: Window): number {
  const evicting = length - Math.min(length, EVICTING_TRIES);
  let free = 0;
  let closing = 0;
  for (let at = 0; at < length; at++) {
    free += Number(line[at] === FREE);
    if (at >= evicting) closing += Number(line[at] === CLOSING);
  }
  let sum = 0;
  for (let first = 0; first < offsets; first++) {
    if (free === 0) sum += closing === 0 ? 1 : stays ** closing;
    const next = line[first + length];
    if (line[first] === FREE) free--;
    if (next === FREE) free++;
    if (line[first + evicting] === CLOSING) closing--;
    if (next === CLOSING) closing++;
  }
  return sum;
}
