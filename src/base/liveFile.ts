import { setTimeout as sleep } from 'node:timers/promises';
import { ExporterError } from './errors.ts';
import { FileReader } from './fileReader.ts';

/**
 * Milliseconds between two looks. The files' bytes are compared: it costs little, and unlike events and time stamps they
 * do not depend on how a file came there: written in place, renamed, or a symbolic link that was turned elsewhere.
 */
const LOOK_MS = 500;

/** What a file says now. */
export interface LiveFile<T> {
  readonly current: T;
  /** Reads the file now, without waiting for the next look → what became of it. */
  reload(): Promise<Reloaded>;
  close(): void;
}

/** `refused` as long as the file is bad, whether or not that was seen before. */
export type Reloaded = 'unchanged' | 'changed' | 'refused';

/** A file that is not there: nothing is read, and there is nothing to reload. */
export function noFile<T>(current: T): LiveFile<T> {
  return { current, reload: async () => 'unchanged', close() {} };
}

export interface LiveFileOptions<T> {
  /**
   * Reads the file, and what others it names, through `reader` alone. Throws an ExporterError where they are bad.
   *
   * @param before what it said until now; undefined at the start
   */
  load(reader: FileReader, before: T | undefined): Promise<T>;
  /** Something has changed and is good; `current` is it already. */
  taken(value: T): void;
  /** Something has changed and is bad: once for each bad content. The last good one stays. */
  refused(error: ExporterError): void;
  /** Nobody looks any more, because of a defect. */
  failed(error: unknown): void;
  readonly lookMs?: number | undefined;
}

/** Loads a file and takes it up again whenever it has changed. Throws an ExporterError where the first one is bad. */
export async function openLiveFile<T>(parts: LiveFileOptions<T>): Promise<LiveFile<T>> {
  const { lookMs = LOOK_MS } = parts;
  let loaded = new FileReader();
  let current = await parts.load(loaded, undefined);
  const closing = new AbortController();

  /** One change is taken after the other, whoever has seen it. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <R>(act: () => Promise<R>): Promise<R> => {
    const mine = last.then(act);
    last = mine.catch(() => {});
    return mine;
  };
  let before = loaded;
  const look = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await sleep(lookMs, undefined, { ref: false, signal: closing.signal });
      await inTurn(async () => {
        const seen = await loaded.again();
        // Seen twice the same: a file that is just being written may be empty or half there, and still be valid YAML.
        if (!seen.equals(loaded) && seen.equals(before)) await take(seen);
        before = seen;
      });
    }
  };
  /** What became of `loaded`. */
  let isRefused = false;
  const take = async (seen: FileReader): Promise<Reloaded> => {
    loaded = new FileReader(seen);
    try {
      current = await parts.load(loaded, current);
      isRefused = false;
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      isRefused = true;
      parts.refused(error);
      return 'refused';
    }
    if (!closing.signal.aborted) parts.taken(current);
    return 'changed';
  };
  look().catch((error: unknown) => {
    if (!closing.signal.aborted) parts.failed(error);
  });
  return {
    get current() {
      return current;
    },
    reload: () =>
      inTurn(async () => {
        const seen = await loaded.again();
        before = seen;
        if (!seen.equals(loaded)) return await take(seen);
        return isRefused ? 'refused' : 'unchanged';
      }),
    close: () => closing.abort(),
  };
}
