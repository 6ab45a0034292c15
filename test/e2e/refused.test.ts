import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, symlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { BOTH, expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { type Ended, run } from './support/program.ts';

/** What an exposition says of where it comes from, and whether it is whole. */
function sourceOf({ stdout }: Ended): unknown {
  const all = parseExposition(stdout);
  const evidence = all.filter(({ name }) => name === 'port_ephemeral_blocked_ports');
  return {
    source: all.find(({ name }) => name === 'port_exporter_source_info')?.labels['source'],
    success: all.filter(({ name }) => name === 'port_exporter_sample_success').map(({ value }) => value),
    evidence: evidence.map(({ labels }) => labels['evidence']),
  };
}

const FROM_PROCFS = { source: 'procfs', success: [1, 1, 1, 1], evidence: ['listener', 'inferred'] };

describe('where the kernel refuses netlink sockets', () => {
  const missing =
    missingTool('gcc') ?? (endianness() === 'LE' ? undefined : 'the filter is for little-endian machines');
  const REFUSAL = 'opening a netlink socket (NETLINK_SOCK_DIAG): socket(): EACCES (permission denied)';

  function launcher(): string[] {
    const path = join(newDirectory(), 'refuseNetlink');
    execFileSync('gcc', ['-o', path, fileURLToPath(new URL('./support/refuseNetlink.c', import.meta.url))]);
    return [path];
  }

  itNeeding(missing, '--sample.source=auto warns in one line and reads /proc/net', async () => {
    const ended = await run(['--once'], { launcher: launcher() });
    expect(ended.stderr).toMatch(
      /^\S+ level=warn msg="netlink refused, reading \/proc\/net instead[^\n]*\n$/,
    );
    expect(ended.stderr).toContain(`error="${REFUSAL}"`);
    expect(ended.code).toBe(0);
    expect(sourceOf(ended)).toEqual(FROM_PROCFS);
  });

  itNeeding(missing, '--sample.source=netlink is one line', async () => {
    const how = { launcher: launcher() };
    for (const args of BOTH) expectOneLine(await run([...args, '--sample.source=netlink'], how), REFUSAL);
  });
});

describe('where the binary of the FFI library is not installed', () => {
  const ROOT = fileURLToPath(new URL('../..', import.meta.url));

  /** The program and its packages without the one with the binary; npm leaves it out with --omit=optional. */
  function mainWithoutBinary(): string {
    const directory = newDirectory();
    chmodSync(directory, 0o755);
    for (const name of ['package.json', 'dist', 'node_modules/koffi']) {
      cpSync(join(ROOT, name), join(directory, name), { recursive: true });
    }
    for (const name of ['pino', 'prom-client', 'yargs', 'hono', '@hono', 'ipaddr.js', 'string-width']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
    }
    return join(directory, 'dist/main.js');
  }

  it('--sample.source=auto warns in one line and reads /proc/net', async () => {
    const ended = await run(['--once'], { main: mainWithoutBinary() });
    expect(ended.stderr).toMatch(
      /^\S+ level=warn msg="netlink refused, [^\n]*error="loading the C library through koffi: [^\n]*\n$/,
    );
    expect(ended.code).toBe(0);
    expect(sourceOf(ended)).toEqual(FROM_PROCFS);
  });

  it('--sample.source=netlink is one line', async () => {
    const how = { main: mainWithoutBinary() };
    for (const args of BOTH) {
      expectOneLine(
        await run([...args, '--sample.source=netlink'], how),
        /^loading the C library through koffi: /,
      );
    }
  });
});
