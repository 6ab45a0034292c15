import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import type { Koffi } from './koffi.ts';

/** BPF_OBJ_NAME_LEN of `include/uapi/linux/bpf.h`. */
const NAME_BYTES = 16;

/** union bpf_attr, or what a program takes: bytes in host order. */
export class Attributes {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #koffi: Koffi;

  constructor(koffi: Koffi, length: number) {
    this.#koffi = koffi;
    this.bytes = new Uint8Array(new ArrayBuffer(length));
    this.#view = new DataView(this.bytes.buffer);
  }

  u32(at: number, value: number): this {
    this.#view.setUint32(at, value, HOST_IS_LITTLE_ENDIAN);
    return this;
  }

  /** The address of what the caller keeps until the call is over. */
  pointer(at: number, to: Uint8Array): this {
    this.#view.setBigUint64(at, this.#koffi.address(to), HOST_IS_LITTLE_ENDIAN);
    return this;
  }

  text(at: number, value: string): this {
    this.bytes.set(Buffer.from(value, 'latin1').subarray(0, NAME_BYTES - 1), at);
    return this;
  }

  int32(at: number): number {
    return this.#view.getInt32(at, HOST_IS_LITTLE_ENDIAN);
  }
}
