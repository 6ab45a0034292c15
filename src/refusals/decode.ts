import { getSystemErrorMap } from 'node:util';
import ipaddr from 'ipaddr.js';
import { printable } from '../base/printable.ts';
import type {
  CallAddresses,
  DestinationCount,
  Ending,
  NamespaceCount,
  NamespaceId,
  OutcomeCount,
  OwnerCount,
  RefusalDeltas,
  RefusalEvent,
} from './deltas.ts';
import type { Regime } from './regimes.ts';

/** Bytes of the structures of `src/kernel/bpf/refusals.h`, which are little-endian wherever these programs run. */
export const NAMESPACE_BYTES = 16;
export const OWNER_BYTES = 24;
export const DESTINATION_BYTES = 56;
export const EVENT_BYTES = 96;
export const COUNT_BYTES = 8;
const OUTCOMES = 258;
const FIRST_OUTCOME = 48;
export const TOTALS_BYTES = FIRST_OUTCOME + 8 * OUTCOMES;

const REFUSED = 256;
const LOOKS_REFUSED = 257;

const AF_INET = 2;
const COMM_BYTES = 16;
/** Each of the 15 bytes may take six characters when it is made visible. */
const COMM_LIMIT = 64;

/** What a key that begins at `at` stands for. */
export type Decode<T> = (bytes: DataView, at: number, count: number, endingOf: EndingOf) => T;
export type EndingOf = (outcome: number) => Ending;

/** @param regime what the programs count the refusals of */
export function endings(regime: Regime): EndingOf {
  const known = new Map<number, Ending>([
    [0, { kind: 'given_up' }],
    [REFUSED, { ...regime, kind: 'refused' }],
    [LOOKS_REFUSED, { ...regime, kind: 'looks_refused' }],
  ]);
  return (outcome) => {
    const ending = known.get(outcome) ?? { kind: 'failed', error: errnoName(outcome) };
    known.set(outcome, ending);
    return ending;
  };
}

function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`;
}

/** struct totals */
export function decodeTotals(
  bytes: DataView,
  endingOf: EndingOf,
): Pick<RefusalDeltas, 'host' | 'lost' | 'leftOut'> {
  const host: OutcomeCount[] = [];
  for (let outcome = 0; outcome < OUTCOMES; outcome++) {
    const count = number(bytes, FIRST_OUTCOME + 8 * outcome);
    if (count > 0) host.push({ ending: endingOf(outcome), count });
  }
  const leftOut = number(bytes, 40);
  const [namespaces = 0, destinations = 0, failures = 0, owners = 0, events = 0] = [0, 8, 16, 24, 32].map(
    (at) => number(bytes, at),
  );
  return { host, leftOut, lost: { namespaces, destinations, failures, owners, events } };
}

/** struct namespace_key */
export const decodeNamespaceCount: Decode<NamespaceCount> = (bytes, at, count, endingOf) => ({
  ...namespaceId(bytes, at, at + 8),
  ending: endingOf(bytes.getUint32(at + 12, true)),
  count,
});

/** struct owner_key */
export const decodeOwnerCount: Decode<OwnerCount> = (bytes, at, count, endingOf) => ({
  ...namespaceId(bytes, at, at + 16),
  cgroupId: number(bytes, at + 8),
  ending: endingOf(bytes.getUint32(at + 20, true)),
  count,
});

/** struct destination_key */
export const decodeDestinationCount: Decode<DestinationCount> = (bytes, at, count, endingOf) => ({
  ...namespaceId(bytes, at, at + 8),
  ...addresses(bytes, at),
  ending: endingOf(bytes.getUint16(at + 14, true)),
  count,
});

/**
 * struct event
 *
 * @param startMs when CLOCK_MONOTONIC was 0, in milliseconds since the epoch
 */
export function decodeEvent(bytes: DataView, endingOf: EndingOf, startMs: number): RefusalEvent {
  const comm = Buffer.from(bytes.buffer, bytes.byteOffset + 80, COMM_BYTES);
  const end = comm.indexOf(0);
  return {
    ...namespaceId(bytes, 0, 8),
    ...addresses(bytes, 0),
    ending: endingOf(bytes.getUint16(14, true)),
    atMs: startMs + number(bytes, 56) / 1e6,
    cgroupId: number(bytes, 64),
    tid: bytes.getUint32(72, true),
    pid: bytes.getUint32(76, true),
    comm: printable(comm.toString('utf8', 0, end < 0 ? COMM_BYTES : end), COMM_LIMIT),
  };
}

function namespaceId(bytes: DataView, cookieAt: number, netnsAt: number): NamespaceId {
  const [low, high] = [bytes.getUint32(cookieAt, true), bytes.getUint32(cookieAt + 4, true)];
  return { netns: bytes.getUint32(netnsAt, true), cookie: `${high}:${low}` };
}

/** Of a struct destination_key. */
function addresses(bytes: DataView, at: number): CallAddresses {
  const isIpv4 = bytes.getUint16(at + 12, true) === AF_INET;
  const address = (from: number) => {
    const words = new Uint8Array(bytes.buffer, bytes.byteOffset + at + from, isIpv4 ? 4 : 16);
    return isIpv4 ? words.join('.') : new ipaddr.IPv6([...words]).toRFC5952String();
  };
  const port = bytes.getUint16(at + 48, true);
  return { localAddress: address(16), remote: port === 0 ? undefined : { address: address(32), port } };
}

/** A __u64: no count, cgroup or time of this machine comes near 2 ** 53. */
export function number(bytes: DataView, at: number): number {
  return Number(bytes.getBigUint64(at, true));
}
