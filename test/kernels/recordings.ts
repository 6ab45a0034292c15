import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** What a line begins with that carries a piece of a recording, in base64. */
export const recordingMarker = 'recording:';

/** What the tests replay. */
const folder = fileURLToPath(new URL('../fixtures/recordings/', import.meta.url));

/** Puts together what `recordState.ts` printed. */
export class RecordingReader {
  #text = '';

  /** → whether the line was a piece of it. */
  take(line: string): boolean {
    if (!line.startsWith(recordingMarker)) return false;
    this.#text += line.slice(recordingMarker.length).trim();
    return true;
  }

  /** Writes the fixture of a kernel version, `6.12` → its size in bytes. Throws where a piece was lost on the way, or it is of another kernel. */
  save(version: string): number {
    const bytes = Buffer.from(this.#text, 'base64');
    const [header = ''] = gunzipSync(bytes).toString().split('\n', 1);
    const { kernel }: { kernel: string } = JSON.parse(header);
    if (!kernel.startsWith(`${version}.`)) throw new Error(`recorded on Linux ${kernel}, not ${version}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${version}.jsonl.gz`), bytes);
    return bytes.length;
  }
}
