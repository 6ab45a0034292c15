import { execFileSync } from 'node:child_process';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { BOTH, expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { type Ended, run } from './support/program.ts';
import { mainWithoutFfi } from './support/withoutPackage.ts';

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

const FROM_PROCFS = { source: 'procfs', success: Array(7).fill(1), evidence: ['listener', 'inferred'] };

describe('where the kernel refuses netlink sockets', () => {
  const missing =
    missingTool('gcc') ?? (endianness() === 'LE' ? undefined : 'the filter is for little-endian machines');
  const REFUSAL = 'opening a netlink socket (NETLINK_SOCK_DIAG): socket(): permission denied (EACCES)';

  function launcher(): string[] {
    const path = join(newDirectory(), 'refuseNetlink');
    execFileSync('gcc', ['-o', path, fileURLToPath(new URL('./support/refuseNetlink.c', import.meta.url))]);
    return [path];
  }

  itNeeding(missing, '--sample.source=auto warns in one line and reads /proc/net', async () => {
    const ended = await run(['--once'], { launcher: launcher() });
    expect(ended.stderr).toMatch(
      /^\S+ level=warn msg="netlink unavailable, falling back to \/proc\/net[^\n]*\n$/,
    );
    expect(ended.stderr).toContain(`error="${REFUSAL}"`);
    expect(ended.code).toBe(0);
    // And the kernel itself can still be asked for a port.
    expect(sourceOf(ended)).toEqual({ ...FROM_PROCFS, success: Array(8).fill(1) });
  });

  itNeeding(missing, '--sample.source=netlink is one line', async () => {
    const how = { launcher: launcher() };
    for (const args of BOTH) expectOneLine(await run([...args, '--sample.source=netlink'], how), REFUSAL);
  });
});

describe('where the binary of the FFI library is not installed', () => {
  it('--sample.source=auto warns in one line and reads /proc/net', async () => {
    const ended = await run(['--once'], { main: mainWithoutFfi() });
    expect(ended.stderr).toMatch(
      /^\S+ level=warn msg="netlink unavailable, [^\n]*error="loading the C library through koffi: [^\n]*\n$/,
    );
    expect(ended.code).toBe(0);
    expect(sourceOf(ended)).toEqual(FROM_PROCFS);
  });

  it('--sample.source=netlink is one line', async () => {
    const how = { main: mainWithoutFfi() };
    for (const args of BOTH) {
      expectOneLine(
        await run([...args, '--sample.source=netlink'], how),
        /^loading the C library through koffi: /,
      );
    }
  });
});
