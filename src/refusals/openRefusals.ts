import { ExporterError } from '../base/errors.ts';
import { BpfGracePeriod } from '../kernel/bpfGracePeriod.ts';
import { type Libc, loadLibc } from '../kernel/libc.ts';
import type { RefusalDeltas } from './deltas.ts';
import type { RegimeDeltas } from './regimeCounter.ts';
import { RegimeSlot } from './regimeSlot.ts';
import { COUNTING_BLOBS, type Regime } from './regimes.ts';

/** BTF is the kernel's own, and not where the host's /sys is mounted in a container. */
const SYSFS = '/sys';

/** Whether the refusals of a regime are counted. */
export interface CountedRegime extends Regime {
  readonly isCounted: boolean;
  /** Why not, in a few words. */
  readonly reason?: string;
}

/** The refusals of the whole machine, counted by the kernel as they happen. */
export interface Refusals {
  /** All four, as they are now: one whose programs cannot be attached again is not counted any more. */
  readonly regimes: readonly CountedRegime[];
  /**
   * What happened since the last call. undefined for nothing, which takes microseconds; otherwise it blocks the thread for a
   * grace period of the kernel's, some 10 ms. Attaches again what somebody detached. It never throws for what the kernel
   * does: `interrupted` tells where something may be missing.
   */
  drain(): RefusalDeltas | undefined;
  /** Ends the counting and leaves nothing in the kernel. */
  close(): void;
}

/**
 * Begins to count, each regime by itself, whatever becomes of the others: where the kernel refuses, `regimes` says why. Left
 * out is what this and every other exporter asks the kernel (src/kernel/blockedPorts.ts, src/kernel/loopbackBind.ts).
 */
export function openRefusals(libc: Libc = loadLibc(), sysfs = SYSFS): Refusals {
  const slots = COUNTING_BLOBS.map((blob) => new RegimeSlot(blob, libc, sysfs));
  return new RefusalCounts(slots, libc);
}

class RefusalCounts implements Refusals {
  readonly #slots: readonly RegimeSlot[];
  readonly #libc: Libc;
  #gracePeriod: BpfGracePeriod | undefined;

  constructor(slots: readonly RegimeSlot[], libc: Libc) {
    this.#slots = slots;
    this.#libc = libc;
  }

  get regimes(): readonly CountedRegime[] {
    return this.#slots.map(({ regime, reason }) =>
      reason === undefined ? { ...regime, isCounted: true } : { ...regime, isCounted: false, reason },
    );
  }

  drain(): RefusalDeltas | undefined {
    const turned = this.#slots.filter((slot) => slot.turnIfCounted());
    const emptied: RegimeDeltas[] = [];
    if (turned.length > 0 && this.#waitForPrograms(turned)) {
      const startMs = monotonicStart();
      for (const slot of turned) {
        const deltas = slot.empty(startMs);
        if (deltas !== undefined) emptied.push(deltas);
      }
    }
    // After that: what was counted before somebody detached the programs is told.
    const interrupted = this.#slots.filter((slot) => slot.repair()).map(({ regime }) => regime);
    return emptied.length === 0 && interrupted.length === 0 ? undefined : merged(emptied, interrupted);
  }

  close(): void {
    for (const slot of this.#slots) slot.close();
    this.#gracePeriod?.close();
    this.#gracePeriod = undefined;
  }

  /** False where that failed: what programs that still run count may be in neither generation. */
  #waitForPrograms(turned: readonly RegimeSlot[]): boolean {
    try {
      this.#gracePeriod ??= new BpfGracePeriod(this.#libc);
      this.#gracePeriod.wait();
      return true;
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      for (const slot of turned) slot.fail(error);
      return false;
    }
  }
}

/** When CLOCK_MONOTONIC was 0, in milliseconds since the epoch by the clock of now. */
function monotonicStart(): number {
  return Date.now() - Number(process.hrtime.bigint()) / 1e6;
}

function merged(all: readonly RegimeDeltas[], interrupted: readonly Regime[]): RefusalDeltas {
  const sum = (of: (deltas: RegimeDeltas) => number) => all.reduce((total, deltas) => total + of(deltas), 0);
  return {
    host: all.flatMap(({ host }) => host),
    namespaces: all.flatMap(({ namespaces }) => namespaces),
    destinations: all.flatMap(({ destinations }) => destinations),
    owners: all.flatMap(({ owners }) => owners),
    events: all.flatMap(({ events }) => events).toSorted((a, b) => a.atMs - b.atMs),
    failures: all.flatMap(({ failures }) => failures),
    lost: {
      namespaces: sum(({ lost }) => lost.namespaces),
      destinations: sum(({ lost }) => lost.destinations),
      owners: sum(({ lost }) => lost.owners),
      events: sum(({ lost }) => lost.events),
      failures: sum(({ lost }) => lost.failures),
    },
    leftOut: sum(({ leftOut }) => leftOut),
    missed: sum(({ missed }) => missed),
    interrupted,
  };
}
