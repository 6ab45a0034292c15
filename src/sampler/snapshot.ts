import type { OwnersSnapshot } from '../aggregate/owners.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcp.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import type { SourceKind } from '../sockets/source.ts';
import type { DescribedListener } from './describedListener.ts';
import type { Protocol } from './protocol.ts';

/** One whole sample: plain data, because it crosses from the sampling thread to the one that serves it. */
export interface Snapshot {
  /** When it was complete, in milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Wall time of the whole round. */
  readonly durationSeconds: number;
  /** From the start of this sample to that of the next, after the cost guard. */
  readonly intervalSeconds: number;
  readonly source: SourceKind;
  readonly namespaces: readonly NamespaceSnapshot[];
}

/** One network namespace. What a failed collector would have found is undefined. */
export interface NamespaceSnapshot {
  readonly netns: string;
  readonly collectors: readonly CollectorOutcome[];
  readonly range: RangeSnapshot | undefined;
  readonly tcp: TcpSnapshot | undefined;
  readonly udp: UdpSnapshot | undefined;
  readonly peaks: readonly Peak[];
  /** The fullest of both protocols. */
  readonly listeners: readonly DescribedListener[];
  /** Whose sockets hold the usable ports; undefined where the source does not tell. */
  readonly owners: Readonly<Record<Protocol, OwnersSnapshot | undefined>>;
}

export type CollectorName = 'range' | 'tcp' | 'udp' | 'owners';

export interface CollectorOutcome {
  readonly collector: CollectorName;
  readonly seconds: number;
  /** One line; undefined where it succeeded. */
  readonly error: string | undefined;
}

export type Scope = 'connect' | 'bind';

/** The highest exhaustion ratio of one regime in the peak window. */
export interface Peak {
  readonly protocol: Protocol;
  readonly scope: Scope;
  readonly ratio: number;
}
