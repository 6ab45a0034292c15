import { endianness } from 'node:os';

/** The third argument of DataView's accessors for what the kernel writes in host order. */
export const HOST_IS_LITTLE_ENDIAN = endianness() === 'LE';
