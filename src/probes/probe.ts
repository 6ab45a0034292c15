import { isIP, isIPv6 } from 'node:net';
import type { LookupFailure, Lookups } from './lookups.ts';
import type { Slots } from './slots.ts';
import type { Endpoint } from './target.ts';
import { type ConnectFailure, type ConnectOutcome, tcpConnect } from './tcpConnect.ts';

export type ProbeFailure = LookupFailure | ConnectFailure;

/** How one probe ended. */
export interface ProbeOutcome {
  /** Undefined where it connected. */
  readonly failure: { readonly reason: ProbeFailure; readonly error: string } | undefined;
  /** Undefined where the host was an address. */
  readonly resolveSeconds: number | undefined;
  /** All attempts together; undefined where there was none. */
  readonly connectSeconds: number | undefined;
  /** One for each address that was tried, in their order; the last one may have connected. */
  readonly attempts: readonly Attempt[];
}

export type Attempt = ConnectOutcome & { readonly address: string };

export interface ProbeLimits {
  readonly timeoutMs: number;
  /** How long to wait for a lookup to begin. */
  readonly longestWaitMs: number;
}

/**
 * Resolves a name and connects to its addresses, one after the other as `nc` does, until one answers. Of the time that is
 * left each gets an equal share: one that does not answer leaves the next its chance. What waits for a free place waits
 * beside the timeout. Never rejects for what the network says.
 */
export async function probe(
  { host, port, source }: Endpoint,
  { timeoutMs, longestWaitMs }: ProbeLimits,
  { lookups, slots }: { readonly lookups: Lookups; readonly slots: Slots },
): Promise<ProbeOutcome> {
  const family = source === undefined ? 0 : familyOf(source);
  const resolved =
    isIP(host) === 0 ? await lookups.lookup({ host, family, timeoutMs, longestWaitMs }) : undefined;
  if (resolved !== undefined && !resolved.found) {
    const { reason, error, seconds } = resolved;
    return { failure: { reason, error }, resolveSeconds: seconds, connectSeconds: undefined, attempts: [] };
  }
  const leftMs = timeoutMs - (resolved?.seconds ?? 0) * 1000;
  const from = source === undefined ? {} : { from: source };
  const attempts = await slots.run(() =>
    attemptEach(resolved?.addresses ?? [host], leftMs, (address, shareMs) =>
      tcpConnect({ address, port, ...from, timeoutMs: shareMs }),
    ),
  );
  return {
    failure: failureOf(attempts),
    resolveSeconds: resolved?.seconds,
    connectSeconds: attempts.reduce((sum, { seconds }) => sum + seconds, 0),
    attempts,
  };
}

async function attemptEach(
  addresses: readonly string[],
  timeoutMs: number,
  connect: (address: string, timeoutMs: number) => Promise<ConnectOutcome>,
): Promise<Attempt[]> {
  const until = performance.now() + timeoutMs;
  const attempts: Attempt[] = [];
  for (const [index, address] of addresses.entries()) {
    const shareMs = (until - performance.now()) / (addresses.length - index);
    // A timer of no time at all fires before anything was asked.
    const attempt = { address, ...(await connect(address, Math.max(1, shareMs))) };
    attempts.push(attempt);
    if (attempt.connected) break;
  }
  return attempts;
}

/** What this machine lacks says more than what another address answered; else the last word counts. */
function failureOf(attempts: readonly Attempt[]): ProbeOutcome['failure'] {
  const failed = attempts.filter((attempt) => !attempt.connected);
  if (failed.length < attempts.length) return undefined;
  return failed.find(({ reason }) => reason === 'no_local_port') ?? failed.at(-1);
}

function familyOf(address: string): 4 | 6 {
  return isIPv6(address) ? 6 : 4;
}
