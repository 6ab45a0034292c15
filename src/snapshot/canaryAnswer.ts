import type { Protocol } from './protocol.ts';

/** What the kernel said when it was asked for one ephemeral port, beside what was calculated. */
export interface CanaryAnswer {
  readonly protocol: Protocol;
  readonly family: 'ipv4' | 'ipv6';
  /** Undefined where nothing was asked, or the namespace has no loopback address of the family. */
  readonly succeeded: boolean | undefined;
  /** Wall time of bind(2). */
  readonly seconds: number | undefined;
  /** The errno by name; undefined where a port was given or nothing was asked. */
  readonly error: string | undefined;
  /** Further calls that succeed, as calculated from the same sample; undefined where that failed or is not exact. */
  readonly calculated: number | undefined;
  readonly disagrees: boolean;
  /** How often they have, since the namespace is sampled. */
  readonly disagreements: number;
}
