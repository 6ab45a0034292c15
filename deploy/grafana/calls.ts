/** The four regimes: which call fails when its ports have run out, and with what. */
export interface Call {
  readonly protocol: 'tcp' | 'udp';
  readonly scope: 'connect' | 'bind';
  readonly name: string;
  readonly error: string;
}

export const CALLS: readonly Call[] = [
  { protocol: 'tcp', scope: 'connect', name: 'TCP connect()', error: 'EADDRNOTAVAIL' },
  { protocol: 'tcp', scope: 'bind', name: 'TCP bind()', error: 'EADDRINUSE' },
  { protocol: 'udp', scope: 'connect', name: 'UDP connect()', error: 'EAGAIN' },
  { protocol: 'udp', scope: 'bind', name: 'UDP bind()', error: 'EADDRINUSE' },
];

/** `TCP connect() → EADDRNOTAVAIL` */
export function nameWithError({ name, error }: Call): string {
  return `${name} → ${error}`;
}
