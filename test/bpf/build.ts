import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BPF_BLOBS } from '../../src/kernel/bpfBlob.ts';
import { BPF_FOLDER, buildBlob, formatBlob } from './buildBlob.ts';

// npm run bpf: compiles the BPF programs into the blobs that are checked in. Takes clang, llvm, bpftool, libbpf-dev and gcc
// from Debian's packages.
for (const name of BPF_BLOBS) {
  const path = join(BPF_FOLDER, `${name}.json`);
  const blob = buildBlob(name);
  writeFileSync(path, formatBlob(blob));
  process.stdout.write(`${name}: ${blob.programs.length} programs, ${blob.data.length} characters of data\n`);
}
