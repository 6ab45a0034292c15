import { createRequire } from 'node:module';
import { ExporterError } from '../base/errors.ts';

export type Koffi = typeof import('koffi')['default'];

let loaded: Koffi | undefined;

/**
 * The FFI library. Required here and not imported: where its binary is missing or refused, the exporter falls back to /proc.
 * Throws an ExporterError then.
 */
export function loadKoffi(): Koffi {
  if (loaded !== undefined) return loaded;
  try {
    const koffi: Koffi = createRequire(import.meta.url)('koffi');
    // Without a file name the symbols come from the C library that Node itself is linked to, glibc or musl.
    koffi.load(null);
    loaded = koffi;
    return loaded;
  } catch (cause) {
    throw new ExporterError('loading the C library through koffi', { cause });
  }
}
