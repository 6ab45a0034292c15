import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));

/** Counts for as long as this process: of a function that was compiled before, V8 does not count the blocks. */
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** Which characters of the sources ran, by V8's own block counters (https://v8.dev/blog/javascript-code-coverage). */
export class Coverage {
  readonly #ran = new Map<string, Uint8Array>();

  /** Whether anything ran since the last call for the first time; `remember` that it did. */
  hasNews(remember: boolean): boolean {
    let isNew = false;
    for (const { url, functions } of this.#take()) {
      if (!url.includes(SRC)) continue;
      for (const { ranges } of functions) isNew = this.#add(url, ranges, remember) || isNew;
    }
    return isNew;
  }

  /** Ranges of a function lie within each other, the outer ones first. */
  #add(url: string, ranges: readonly Profiler.CoverageRange[], remember: boolean): boolean {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return false;
    const now = new Uint8Array(whole.endOffset - whole.startOffset);
    for (const { startOffset, endOffset, count } of ranges) {
      now.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
    }
    const place = `${url}:${whole.startOffset}`;
    const ran = this.#ran.get(place) ?? new Uint8Array(now.length);
    this.#ran.set(place, ran);
    let isNew = false;
    for (let at = 0; at < now.length; at++) {
      if (now[at] === 0 || ran[at] === 1) continue;
      isNew = true;
      if (!remember) break;
      ran[at] = 1;
    }
    return isNew;
  }

  /** Reading the counters sets them back. */
  #take(): Profiler.ScriptCoverage[] {
    let result: Profiler.ScriptCoverage[] = [];
    session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      result = taken.result;
    });
    return result;
  }
}
