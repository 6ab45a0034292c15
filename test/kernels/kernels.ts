/** A kernel to prove the numbers on, and the Debian release whose standard kernel it is. */
export interface Kernel {
  readonly version: string;
  readonly release: string;
  /** CPUs to emulate at most. */
  readonly cpus: number;
}

export const kernels: readonly Kernel[] = [
  { version: '6.1', release: 'bookworm', cpus: 4 },
  { version: '6.12', release: 'trixie', cpus: 4 },
  // One of several emulated CPUs now and then runs an instruction that another is just patching: "Oops: int3" at boot.
  { version: '7.3', release: 'trixie-backports', cpus: 1 },
];
