import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mixedWorld } from './mixedState.ts';
import { recordingMarker } from './recordings.ts';

// Brings a namespace into a state, lets the exporter record it, and prints the file in pieces that a serial line carries.
const program = new URL('../../dist/main.js', import.meta.url).pathname;
const pieceLength = 100;

const directory = mkdtempSync(join(tmpdir(), 'port-exporter-recording-'));
const file = join(directory, 'recording');
const world = mixedWorld();
try {
  // A child begins in the namespace of the thread that starts it.
  const flags = ['--once', '--sample.source=netlink', '--namespaces=self', '--processes.budget=0'];
  execFileSync(process.execPath, [program, ...flags, `--debug.record=${file}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const text = readFileSync(file, 'base64');
  for (let at = 0; at < text.length; at += pieceLength) {
    console.log(`${recordingMarker} ${text.slice(at, at + pieceLength)}`);
  }
} finally {
  world.close();
  rmSync(directory, { recursive: true });
}
