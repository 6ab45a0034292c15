import type { WriteStream } from 'node:tty';
import type { ScannedPort } from '../scan/scan.ts';

/** How far a scan is, for whoever waits for it. */
export interface ScanProgress {
  scanned(port: ScannedPort): void;
  /** Leaves nothing on the screen. */
  end(): void;
}

/** A bar on a terminal, redrawn in place; nothing at all elsewhere. */
export function openScanProgress(
  stream: WriteStream | NodeJS.WriteStream,
  environment: NodeJS.ProcessEnv,
  address: string,
  total: number,
): ScanProgress {
  if (stream.isTTY !== true || environment['TERM'] === 'dumb') return NOBODY_WATCHES;
  let asked = 0;
  let open = 0;
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stream.write(`\r${progressLine(address, asked, total, open, stream.columns)}${CLEAR_REST}`);
  }, REDRAW_MS);
  return {
    scanned({ state }) {
      asked++;
      if (state === 'open') open++;
    },
    end() {
      clearInterval(timer);
      if (isShown) stream.write(`\r${CLEAR_REST}`);
    },
  };
}

const NOBODY_WATCHES: ScanProgress = { scanned() {}, end() {} };

/** Often enough to be seen moving; what is faster than this needs no bar. */
const REDRAW_MS = 100;
/** EL, Erase in Line (ECMA-48): from the cursor to the end. */
const CLEAR_REST = '\u001b[K';
const BAR_COLUMNS = 24;

/** `scanning ::1 [#####---]  62 %, 640 of 1024 ports, 3 open`, cut to what a line holds without wrapping. */
export function progressLine(
  address: string,
  asked: number,
  total: number,
  open: number,
  columns: number,
): string {
  const share = asked / total;
  const done = '#'.repeat(Math.floor(share * BAR_COLUMNS)).padEnd(BAR_COLUMNS, '-');
  const percent = String(Math.floor(share * 100)).padStart(3);
  const line = `[${done}] ${percent} %, ${asked} of ${total} ports of ${address}, ${open} open`;
  // The last column stays free: some terminals wrap as soon as it is written to.
  return columns > 0 ? line.slice(0, columns - 1) : line;
}
