import type { RefusalReport } from '../../src/snapshot/refusals.ts';
import { RefusalLedger, type RefusalState } from '../../src/status/refusalLedger.ts';
import { report } from '../status/refusals.ts';

export const CONNECT = { protocol: 'tcp', scope: 'connect' } as const;
export const BIND = { protocol: 'tcp', scope: 'bind' } as const;

/** Nothing happened, and only connect() of TCP is counted. */
export const QUIET = report({
  counted: [CONNECT],
  obstacles: ['TCP bind(): the kernel cannot trace functions'],
});

const TO_DB = { netns: 'host', localAddress: '10.0.0.5', remoteAddress: '10.0.0.9', remotePort: 5432 };

/** Five calls of a program, one of which was a retry. */
export const STORM: RefusalReport = {
  ...QUIET,
  refused: [{ ...CONNECT, netns: 'host', count: 4 }],
  likely: [{ ...CONNECT, netns: 'host', count: 1 }],
  failures: [
    { netns: 'host', error: 'EADDRNOTAVAIL', count: 5 },
    { netns: 'host', error: 'ECONNREFUSED', count: 2 },
  ],
  destinations: [{ ...TO_DB, count: 5 }],
  destinationFailures: [{ ...TO_DB, error: 'ECONNREFUSED', count: 2 }],
  owners: [{ netns: 'host', owner: 'web.service', count: 5 }],
  events: [
    {
      ...{ ...CONNECT, netns: 'host', atMs: 1_700_000_000_000, isLikely: false, pid: 4711, process: 'curl' },
      ...{ owner: 'web.service', localAddress: '10.0.0.5', remote: { address: '10.0.0.9', port: 5432 } },
    },
  ],
  leftOut: 3,
};

/** What a ledger makes of these reports, one a second from `startMs` on. */
export function refusalsAfter(reports: readonly RefusalReport[], startMs = 0): RefusalState {
  let nowMs = startMs;
  const ledger = new RefusalLedger(() => nowMs);
  for (const report of reports) {
    ledger.take(report);
    nowMs += 1000;
  }
  return ledger.state;
}
