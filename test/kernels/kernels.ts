/** A kernel to prove the numbers on, and the Debian release whose standard kernel it is. */
export interface Kernel {
  readonly version: string;
  readonly release: string;
}

export const kernels: readonly Kernel[] = [
  { version: '6.1', release: 'bookworm' },
  { version: '6.12', release: 'trixie' },
];
