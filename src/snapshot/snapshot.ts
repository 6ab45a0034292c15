import type { EstimatedSnapshot } from '../aggregate/bounded.ts';
import type { OwnersSnapshot } from '../aggregate/owners.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcp.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import type { NamespaceIdentity } from '../namespaces/labels.ts';
import type { SourceKind } from '../sockets/source.ts';
import type { CanaryAnswer } from './canaryAnswer.ts';
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
  /** What the flag says. */
  readonly configuredIntervalSeconds: number;
  readonly source: SourceKind;
  readonly namespaces: readonly NamespaceSnapshot[];
  /** Namespaces found, sampled or not. */
  readonly namespacesFound: number;
  /** Those left out because of the limit. */
  readonly namespacesOmitted: number;
}

/** What was sampled inside of one network namespace. What a failed collector would have found is undefined. */
export interface NamespaceSample {
  /** All of its sockets were read, or only its listeners and the kernel's counts: then `bounds` stands for the rest. */
  readonly detail: 'full' | 'bounded';
  /** In milliseconds since the epoch: namespaces take turns. */
  readonly sampledAtMs: number;
  readonly collectors: readonly CollectorOutcome[];
  readonly bounds: EstimatedSnapshot | undefined;
  readonly range: RangeSnapshot | undefined;
  readonly tcp: TcpSnapshot | undefined;
  readonly udp: UdpSnapshot | undefined;
  readonly peaks: readonly Peak[];
  /** Whose sockets hold the usable ports; undefined where the source does not tell. */
  readonly owners: Readonly<Record<Protocol, OwnersSnapshot | undefined>>;
  /** Empty where the kernel was not asked. */
  readonly canary: readonly CanaryAnswer[];
}

/** One network namespace, its name, and who its listeners are. */
export interface NamespaceSnapshot extends NamespaceSample {
  readonly identity: NamespaceIdentity;
  /** `identity.netns`. */
  readonly netns: string;
  /** The fullest of both protocols. */
  readonly listeners: readonly DescribedListener[];
}

/** `enter`: entering that namespace; of the own one, finding the others. */
export type CollectorName = 'enter' | 'range' | 'tcp' | 'udp' | 'owners' | 'processes' | 'canary';

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
