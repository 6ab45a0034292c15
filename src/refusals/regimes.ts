import type { BpfBlobName } from '../kernel/bpfBlob.ts';

/** One of the four ways to be given a port. */
export interface Regime {
  readonly protocol: 'tcp' | 'udp';
  readonly scope: 'connect' | 'bind';
}

/** What counts the refusals of a regime: loaded and attached by itself, since not every machine allows every program. */
export interface CountingBlob {
  readonly regime: Regime;
  /** Of `src/kernel/bpf/`. */
  readonly file: BpfBlobName;
  /** Those that are attached. */
  readonly programs: readonly string[];
}

export const COUNTING_BLOBS: readonly CountingBlob[] = [
  {
    regime: { protocol: 'tcp', scope: 'connect' },
    file: 'refusedTcpConnects',
    programs: ['tcp_connects'],
  },
  {
    regime: { protocol: 'tcp', scope: 'bind' },
    file: 'refusedTcpBinds',
    programs: ['tcp_binds'],
  },
  {
    regime: { protocol: 'udp', scope: 'connect' },
    file: 'refusedUdpConnects',
    programs: ['udp_connects'],
  },
  {
    regime: { protocol: 'udp', scope: 'bind' },
    file: 'refusedUdpBinds',
    programs: ['udp_binds', 'udp6_binds'],
  },
];
