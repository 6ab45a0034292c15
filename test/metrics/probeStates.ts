import type { ProbesState } from '../../src/probes/openProbes.ts';
import type { ProbeOutcome } from '../../src/probes/probe.ts';
import type { Probed } from '../../src/probes/prober.ts';

/** One that is well, one whose name is unknown, one that has no port left; a fourth was not probed yet. */
export const PROBES: ProbesState = {
  results: {
    targets: 4,
    probed: [
      probed('db', { resolveSeconds: 0.25, connectSeconds: 0.5 }),
      probed('typo', {
        failure: { reason: 'name_not_found', error: 'ENOTFOUND' },
        resolveSeconds: 0.125,
        connectSeconds: undefined,
      }),
      probed('gateway "ü"', { failure: { reason: 'no_local_port', error: 'EADDRNOTAVAIL' } }),
    ],
  },
  fileIsGood: false,
};

function probed(name: string, changes: Partial<ProbeOutcome>): Probed {
  return {
    target: { name, host: '192.0.2.1', port: 80, intervalMs: 15_000, timeoutMs: 5_000 },
    outcome: {
      ...{ failure: undefined, resolveSeconds: undefined, connectSeconds: 0, attempts: [] },
      ...changes,
    },
    timestampMs: 1_700_000_000_500,
    endedAtMs: 1_700_000_000_500,
  };
}
