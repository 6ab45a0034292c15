/** Kinds of host that a fleet is made of, and how many of 100 hosts are of each. */
export const KINDS = [
  { kind: 'vm', name: 'quiet virtual machine', share: 64 },
  { kind: 'web', name: 'web server or proxy', share: 28 },
  { kind: 'node30', name: 'Kubernetes node, 30 pods', share: 5 },
  { kind: 'node100', name: 'Kubernetes node, 100 pods', share: 1 },
  { kind: 'nat', name: 'NAT gateway', share: 2 },
] as const;

export type Kind = (typeof KINDS)[number]['kind'];

/** What a host of one kind answered to a scrape. Bytes are those of the body. */
export interface Capture {
  readonly kind: Kind;
  /** The text exposition. */
  readonly text: string;
  /** gzip: as the exporter answers a Prometheus, which asks for it. */
  readonly bytes: Readonly<Record<'text' | 'textGzip' | 'openmetrics' | 'openmetricsGzip', number>>;
}

/** Of the host of that number: the shares, dealt out over each hundred. */
export function kindOf(host: number): Kind {
  // 37 and 100 have no common divisor: neighbours differ, and each hundred has every kind.
  let left = (host * 37) % 100;
  for (const { kind, share } of KINDS) {
    if (left < share) return kind;
    left -= share;
  }
  throw new RangeError('the shares are less than 100');
}
