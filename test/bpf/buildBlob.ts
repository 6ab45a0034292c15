import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BpfBlobFile, digestOf } from '../../src/kernel/bpfBlob.ts';

/** Where the programs stand, and the blobs beside them; without a slash at its end, as the compiler has it in its debug information. */
export const BPF_FOLDER = fileURLToPath(new URL('../../src/kernel/bpf', import.meta.url));

/** Of clang(1). */
export function compilerVersion(): string {
  return (execFileSync('clang', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '').trim();
}

/** Compiles `<name>.bpf.c`: the same source and compiler give the same bytes, wherever. */
export function buildBlob(name: string): BpfBlobFile {
  const folder = mkdtempSync(join(tmpdir(), 'port-exporter-bpf-'));
  try {
    const object = join(folder, `${name}.o`);
    const flags = ['-O2', '-g', '-target', 'bpf', '-Wall', '-Werror', `-ffile-prefix-map=${BPF_FOLDER}=`];
    const run = (program: string, args: readonly string[]) =>
      execFileSync(program, args, { cwd: BPF_FOLDER, encoding: 'latin1', maxBuffer: 1 << 26 });
    run('clang', [...flags, `-I/usr/include/${machine()}`, '-c', `${name}.bpf.c`, '-o', object]);
    run('llvm-strip', ['-g', object]);
    const skeleton = run('bpftool', ['gen', 'skeleton', '-L', object, 'name', name]);
    const blob = {
      maps: namesIn(skeleton, 'bpf_map_desc'),
      programs: namesIn(skeleton, 'bpf_prog_desc'),
      data: bytesOf(skeleton, 'data'),
      instructions: bytesOf(skeleton, 'insns'),
    };
    return {
      compiler: compilerVersion(),
      ...blob,
      sha256: digestOf(blob),
      data: blob.data.toString('base64'),
      instructions: blob.instructions.toString('base64'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A blob as it stands in its file. */
export function formatBlob(blob: BpfBlobFile): string {
  return `${JSON.stringify(blob, undefined, 2)}\n`;
}

export function readBlobFile(name: string): BpfBlobFile {
  return JSON.parse(readFileSync(join(BPF_FOLDER, `${name}.json`), 'utf8')) as BpfBlobFile;
}

/** Debian's triplet of the machine, below which its linux/types.h finds asm/types.h. */
function machine(): string {
  return execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
}

function namesIn(skeleton: string, kind: string): string[] {
  return [...skeleton.matchAll(new RegExp(`struct ${kind} (\\w+);`, 'g'))].map(([, name = '']) => name);
}

/** A string literal of C, over many lines. */
function bytesOf(skeleton: string, field: 'data' | 'insns'): Buffer {
  const [, size] = new RegExp(`opts\\.${field}_sz = (\\d+);`).exec(skeleton) ?? [];
  const [, literal = ''] = new RegExp(`opts\\.${field} = \\(void \\*\\)"([^"]*)"`).exec(skeleton) ?? [];
  const bytes = [...literal.replaceAll('\\\n', '').matchAll(/\\(?:x([0-9a-f]{2})|0)/g)].map(([, hex = '0']) =>
    Number.parseInt(hex, 16),
  );
  if (bytes.length !== Number(size)) throw new Error(`${field}: ${bytes.length} bytes, expected ${size}`);
  return Buffer.from(bytes);
}
