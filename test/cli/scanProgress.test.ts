import type { WriteStream } from 'node:tty';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openScanProgress, progressLine } from '../../src/cli/scanProgress.ts';

const CLEARED = '\r\u001b[K';

function screen(isTTY: boolean): { stream: WriteStream; written: string[] } {
  const written: string[] = [];
  const stream = { isTTY, columns: 80, write: (text: string) => written.push(text) };
  return { stream: stream as unknown as WriteStream, written };
}

describe('The bar of a scan', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is drawn ten times a second at most, and cleared at the end', () => {
    const { stream, written } = screen(true);
    const progress = openScanProgress(stream, {}, '192.0.2.1', 1000);
    for (let port = 1; port <= 500; port++)
      progress.scanned({ port, state: 'closed', error: 'ECONNREFUSED' });
    progress.scanned({ port: 501, state: 'open', error: undefined });
    expect(written).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(written).toEqual([
      '\r[############------------]  50 %, 501 of 1000 ports of 192.0.2.1, 1 open\u001b[K',
    ]);
    vi.advanceTimersByTime(900);
    expect(written).toHaveLength(10);
    progress.end();
    expect(written.at(-1)).toBe(CLEARED);
    vi.advanceTimersByTime(1000);
    expect(written).toHaveLength(11);
  });

  it('of one that was over before it was drawn leaves no trace', () => {
    const { stream, written } = screen(true);
    openScanProgress(stream, {}, '192.0.2.1', 1000).end();
    expect(written).toEqual([]);
  });

  it('is for a terminal that can move its cursor', () => {
    for (const [isTTY, environment] of [
      [false, {}],
      [true, { TERM: 'dumb' }],
    ] as const) {
      const { stream, written } = screen(isTTY);
      const progress = openScanProgress(stream, environment, '192.0.2.1', 1000);
      vi.advanceTimersByTime(1000);
      progress.end();
      expect(written).toEqual([]);
    }
  });

  it('is full only at the end, and never as wide as the terminal', () => {
    expect(progressLine('::1', 999, 1000, 0, 80)).toContain('#-]  99 %,');
    expect(progressLine('::1', 1000, 1000, 0, 80)).toContain('##] 100 %,');
    expect(progressLine('::1', 0, 1000, 0, 30)).toHaveLength(29);
  });
});
