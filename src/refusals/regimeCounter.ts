import { loadBpf, type TracingBpf } from '../kernel/bpf.ts';
import type { BpfBlob } from '../kernel/bpfBlob.ts';
import type { EntryRoom } from '../kernel/bpfCalls.ts';
import type { BpfLink } from '../kernel/bpfLink.ts';
import type { Libc } from '../kernel/libc.ts';
import {
  COUNT_BYTES,
  DESTINATION_BYTES,
  type Decode,
  decodeDestinationCount,
  decodeEvent,
  decodeNamespaceCount,
  decodeOwnerCount,
  decodeTotals,
  type EndingOf,
  EVENT_BYTES,
  endings,
  NAMESPACE_BYTES,
  number,
  OWNER_BYTES,
  TOTALS_BYTES,
} from './decode.ts';
import type { RefusalDeltas, RefusalEvent } from './deltas.ts';
import type { CountingBlob, Regime } from './regimes.ts';

/** What one regime adds to the deltas. */
export type RegimeDeltas = Omit<RefusalDeltas, 'interrupted'>;

/** Entries of a hash map that are read at once. */
const ENTRIES = 1024;
/** As many as the queue of events has room for: whoever goes on to refuse must not keep the reader. */
const MOST_EVENTS = 2048;

/** The programs of one regime, attached. What they count is read by emptying one generation of maps while they fill the other. */
export class RegimeCounter {
  readonly regime: Regime;
  readonly #bpf: TracingBpf;
  readonly #links: readonly BpfLink[];
  readonly #endingOf: EndingOf;
  readonly #totals = new Uint8Array(new ArrayBuffer(TOTALS_BYTES));
  readonly #generation = new Uint32Array(new ArrayBuffer(4));
  #filled = 0;
  #missed = 0;

  /** Throws an ExporterError where the kernel refuses the programs. */
  constructor({ regime, programs }: CountingBlob, blob: BpfBlob, libc: Libc) {
    this.regime = regime;
    this.#endingOf = endings(regime);
    this.#bpf = loadBpf(blob, libc);
    try {
      this.#links = programs.map((program) => this.#bpf.attach(program));
    } catch (error) {
      this.#bpf.close();
      throw error;
    }
  }

  /** Throws a KernelError. */
  get isAttached(): boolean {
    return this.#links.every((link) => link.isAttached);
  }

  /** Whether anything was counted since the last time: one lookup. Throws a KernelError. */
  hasCounted(): boolean {
    this.#bpf.read('totals', this.#totals, this.#filled);
    return new Uint32Array(this.#totals.buffer).some((word) => word !== 0);
  }

  /** From now on the other generation is filled; by programs that run already, only after a grace period. Throws a KernelError. */
  turn(): void {
    const filling = 1 - this.#filled;
    this.#generation[0] = filling;
    this.#bpf.write('generation', new Uint8Array(this.#generation.buffer));
    this.#filled = filling;
  }

  /**
   * Empties the generation that was filled before the turn. Throws a KernelError: what was read until then is lost.
   *
   * @param startMs when CLOCK_MONOTONIC was 0, in milliseconds since the epoch
   */
  empty(startMs: number): RegimeDeltas {
    const emptied = 1 - this.#filled;
    this.#bpf.read('totals', this.#totals, emptied);
    const totals = decodeTotals(new DataView(this.#totals.buffer), this.#endingOf);
    this.#bpf.write('totals', this.#totals.fill(0), emptied);
    const rows = <T>(map: string, keyBytes: number, decode: Decode<T>) =>
      this.#take(`${map}_${emptied}`, keyBytes, decode);
    return {
      ...totals,
      namespaces: rows('namespaces', NAMESPACE_BYTES, decodeNamespaceCount),
      destinations: rows('destinations', DESTINATION_BYTES, decodeDestinationCount),
      owners: rows('owners', OWNER_BYTES, decodeOwnerCount),
      failures: rows('failures', DESTINATION_BYTES, decodeDestinationCount),
      events: this.#takeEvents(startMs),
      missed: this.#countMisses(),
    };
  }

  close(): void {
    this.#bpf.close();
  }

  #take<T>(map: string, keyBytes: number, decode: Decode<T>): T[] {
    const taken: T[] = [];
    if (!this.#bpf.has(map)) return taken;
    const room: EntryRoom = {
      keys: new Uint8Array(new ArrayBuffer(ENTRIES * keyBytes)),
      values: new Uint8Array(new ArrayBuffer(ENTRIES * COUNT_BYTES)),
      entries: ENTRIES,
    };
    const [keys, counts] = [new DataView(room.keys.buffer), new DataView(room.values.buffer)];
    this.#bpf.take(map, room, (entries) => {
      for (let entry = 0; entry < entries; entry++)
        taken.push(decode(keys, entry * keyBytes, number(counts, entry * COUNT_BYTES), this.#endingOf));
    });
    return taken;
  }

  #takeEvents(startMs: number): RefusalEvent[] {
    const events: RefusalEvent[] = [];
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    this.#bpf.pop('events', new Uint8Array(event.buffer), MOST_EVENTS, () =>
      events.push(decodeEvent(event, this.#endingOf, startMs)),
    );
    return events;
  }

  #countMisses(): number {
    const missed = this.#links.reduce((sum, link) => sum + link.countMisses(), 0);
    const since = missed - this.#missed;
    this.#missed = missed;
    return since;
  }
}
