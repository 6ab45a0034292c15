import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { BPF_BLOBS, bpfBlobFile, digestOf, readBpfBlob } from '../../src/kernel/bpfBlob.ts';
import { formatBlob, readBlobFile } from '../bpf/buildBlob.ts';

const SHIPPED = formatBlob(readBlobFile('tables'));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'port-exporter-blob-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const path = join(folder, 'tables.json');
  writeFileSync(path, text, 'latin1');
  return readBpfBlob(pathToFileURL(path));
}

describe.each(BPF_BLOBS)('the blob of %s', (name) => {
  it('is whole', () => {
    expect(digestOf(readBpfBlob(bpfBlobFile(name)))).toBe(readBlobFile(name).sha256);
  });

  it('is loaded by a kernel that the exporter is allowed to: its programs are under a licence that this takes', () => {
    const source = readFileSync(bpfBlobFile(name).pathname.replace('.json', '.bpf.c'), 'utf8');
    expect(source).toContain('char LICENSE[] SEC("license") = "Dual BSD/GPL";');
  });
});

describe('a blob', () => {
  it('is read as it was written', () => {
    const blob = read(SHIPPED);
    expect(blob.programs).toContain('connections');
    expect(blob.instructions.length % 8).toBe(0);
    expect(digestOf(blob)).toBe(readBlobFile('tables').sha256);
  });

  it('that is cut short anywhere is refused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: SHIPPED.length - 3 }), (length) => {
        expect(() => read(SHIPPED.slice(0, length))).toThrow(ExporterError);
      }),
    );
  });

  it('with one other character in what the kernel is given is refused', () => {
    const start = SHIPPED.indexOf('"data"') + 9;
    fc.assert(
      fc.property(
        fc.integer({ min: start, max: SHIPPED.lastIndexOf('"') - 4 }),
        fc.constantFrom('A', 'z', '0', '/'),
        (at, character) => {
          fc.pre(/[A-Za-z0-9+/]/.test(SHIPPED[at] ?? '') && SHIPPED[at] !== character);
          expect(() => read(SHIPPED.slice(0, at) + character + SHIPPED.slice(at + 1))).toThrow(ExporterError);
        },
      ),
    );
  });

  it.each(['', '[]', '{}', 'null', '{"maps":[],"programs":["a"],"data":"","instructions":""}'])(
    'that is %j is refused with the path',
    (text) => {
      expect(() => read(text)).toThrow(/tables\.json/);
    },
  );
});
