import { errorCode } from '../base/errors.ts';
import type { BpfCalls } from './bpfCalls.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';

/** Where fields are in struct bpf_link_info and struct bpf_prog_info of `include/uapi/linux/bpf.h`. */
const LINK_PROGRAM = 8;
const PROGRAM_ID = 4;
const RECURSION_MISSES = 208;
const LINK_BYTES = 16;
const PROGRAM_BYTES = 216;

/** A tracing program where it is attached. */
export class BpfLink {
  readonly #bpf: BpfCalls;
  readonly #link: number;
  readonly #program: number;
  readonly #linkInfo = new DataView(new ArrayBuffer(LINK_BYTES));
  readonly #programInfo = new DataView(new ArrayBuffer(PROGRAM_BYTES));
  readonly #programId: number;

  /** @param link and `program`: descriptors, which somebody else closes */
  constructor(bpf: BpfCalls, link: number, program: number) {
    this.#bpf = bpf;
    this.#link = link;
    this.#program = program;
    this.#bpf.info(program, new Uint8Array(this.#programInfo.buffer));
    this.#programId = this.#programInfo.getUint32(PROGRAM_ID, HOST_IS_LITTLE_ENDIAN);
  }

  /**
   * Whether it still is. The kernel detaches none of these while there is a descriptor, and lets nobody do so
   * (EOPNOTSUPP): what remains is that somebody took the descriptor from this process. Throws a KernelError.
   */
  get isAttached(): boolean {
    try {
      this.#bpf.info(this.#link, new Uint8Array(this.#linkInfo.buffer));
    } catch (error) {
      if (errorCode(error) === 'EBADF' || errorCode(error) === 'EINVAL') return false;
      throw error;
    }
    return this.#linkInfo.getUint32(LINK_PROGRAM, HOST_IS_LITTLE_ENDIAN) === this.#programId;
  }

  /**
   * How often since it was loaded the kernel left it out, because it interrupted itself on that processor. Throws a
   * KernelError.
   */
  countMisses(): number {
    this.#bpf.info(this.#program, new Uint8Array(this.#programInfo.buffer));
    return Number(this.#programInfo.getBigUint64(RECURSION_MISSES, HOST_IS_LITTLE_ENDIAN));
  }
}
