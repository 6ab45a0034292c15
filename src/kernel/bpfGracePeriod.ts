import { openBpf } from './bpfCalls.ts';
import { loadKoffi } from './koffi.ts';
import type { Libc } from './libc.ts';

/**
 * Waits until every BPF program that runs now has ended, none of which may sleep. It is what the kernel does when a map of
 * maps is changed (maybe_wait_bpf_programs(), kernel/bpf/syscall.c), so there is one for that alone.
 */
export class BpfGracePeriod {
  readonly #bpf = openBpf(loadKoffi());
  readonly #libc: Libc;
  readonly #inner: number;
  readonly #outer: number;
  readonly #value: Uint8Array;

  /** Throws an ExporterError where the FFI library or the kernel refuses. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#inner = this.#bpf.createArrayMap('grace_inner', 4);
    try {
      this.#outer = this.#bpf.createMapOfMaps('grace_period', this.#inner);
    } catch (error) {
      libc.close(this.#inner);
      throw error;
    }
    this.#value = new Uint8Array(Uint32Array.of(this.#inner).buffer);
  }

  /** Blocks this thread for some milliseconds. Throws a KernelError. */
  wait(): void {
    this.#bpf.update(this.#outer, 0, this.#value);
  }

  close(): void {
    this.#libc.close(this.#outer);
    this.#libc.close(this.#inner);
  }
}
