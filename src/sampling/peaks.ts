import type { Regime } from '../aggregate/exhaustion.ts';
import { PeakWindow } from '../aggregate/peak.ts';
import { bootTimeMs } from '../kernel/clock.ts';
import type { Protocol } from '../snapshot/protocol.ts';
import type { Peak, Scope } from '../snapshot/sample.ts';

/** Both regimes of each protocol that was sampled. */
export type Regimes = Readonly<Partial<Record<Protocol, Readonly<Record<Scope, Regime>>>>>;

/** The highest ratio of each regime of one namespace in the peak window. */
export class Peaks {
  readonly #windows: readonly (Omit<Peak, 'ratio'> & { readonly window: PeakWindow })[];

  constructor(windowMs: number) {
    this.#windows = (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['connect', 'bind'] as const).map((scope) => ({ protocol, scope, window: new PeakWindow(windowMs) })),
    );
  }

  /** Adds a sample → the peaks of what was sampled. */
  add(sampled: Regimes): Peak[] {
    const now = bootTimeMs();
    return this.#windows.flatMap(({ protocol, scope, window }) => {
      const regime = sampled[protocol]?.[scope];
      return regime === undefined ? [] : [{ protocol, scope, ratio: window.add(now, regime.ratio) }];
    });
  }
}
