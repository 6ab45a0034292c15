import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ExporterError } from '../base/errors.ts';
import { ownFile } from '../base/ownFiles.ts';

/** Compiled BPF programs as a light skeleton (bpftool-gen(8), `-L`): a program that loads them, and what it loads. */
export interface BpfBlob {
  /** Names in the order in which the loader returns their descriptors. */
  readonly maps: readonly string[];
  readonly programs: readonly string[];
  /** What the loader reads. */
  readonly data: Uint8Array;
  /** The loader: 8 bytes an instruction, `struct bpf_insn` of a little-endian machine. */
  readonly instructions: Uint8Array;
}

/** Those that are shipped, each a file of `src/kernel/bpf/` that is compiled from the one beside it. */
export const BPF_BLOBS = [
  'tables',
  'refusedTcpConnects',
  'refusedTcpBinds',
  'refusedUdpConnects',
  'refusedUdpBinds',
] as const;
export type BpfBlobName = (typeof BPF_BLOBS)[number];

/** As it stands in a file: bytes in base64, and the SHA-256 of both, which ends what is damaged before a kernel sees it. */
export interface BpfBlobFile {
  readonly compiler: string;
  readonly maps: readonly string[];
  readonly programs: readonly string[];
  readonly sha256: string;
  readonly data: string;
  readonly instructions: string;
}

export function bpfBlobFile(name: BpfBlobName): URL {
  return ownFile(`kernel/bpf/${name}.json`);
}

/** Reads a file that `npm run bpf` wrote. Throws an ExporterError where it is not whole. */
export function readBpfBlob(path: URL): BpfBlob {
  const fail = (got: string) => new ExporterError(`reading ${path.pathname}: ${got}`);
  let file: Partial<Record<keyof BpfBlobFile, unknown>>;
  try {
    file = (JSON.parse(readFileSync(path, 'utf8')) ?? {}) as typeof file;
  } catch (cause) {
    throw new ExporterError(`reading ${path.pathname}`, { cause });
  }
  const { maps, programs, sha256, data, instructions } = file;
  if (!isNames(maps) || !isNames(programs) || typeof data !== 'string' || typeof instructions !== 'string')
    throw fail('expected compiled BPF programs');
  const blob: BpfBlob = { maps, programs, data: bytesOf(data), instructions: bytesOf(instructions) };
  if (blob.instructions.length % 8 !== 0 || digestOf(blob) !== sha256)
    throw fail('damaged: its SHA-256 is another');
  return blob;
}

/** The SHA-256 of everything that the kernel is given, in hexadecimal. */
export function digestOf({ maps, programs, data, instructions }: BpfBlob): string {
  const names = JSON.stringify([maps, programs, data.length]);
  return createHash('sha256').update(names).update(data).update(instructions).digest('hex');
}

/** Of a file that JSON.parse() took for an object. */
function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}

/** With memory of its own: the kernel reads it by its address. */
function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
