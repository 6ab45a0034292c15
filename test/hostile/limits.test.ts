import { describe, expect } from 'vitest';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { expectOneLine } from '../e2e/support/oneLine.ts';
import { Daemon, run } from '../e2e/support/program.ts';

const noPrlimit = missingTool('prlimit');
const GIB = 1024 ** 3;
const LISTEN = '--web.listen-address=127.0.0.1:0';
const within = (...limits: string[]) => ({ launcher: ['prlimit', ...limits, '--'] });

describe('too few descriptors', () => {
  // Fewer than 19 stop Node.js itself.
  for (const [files, needed] of [
    [24, 128],
    [32, 128],
    [64, 128],
    [127, 128],
    [128, 256],
    [255, 256],
  ] as const) {
    itNeeding(noPrlimit, `are one line: ${files}`, async () => {
      expectOneLine(
        await run([LISTEN], within(`--nofile=${files}:${files}`)),
        `the limit of open files is ${files}: expected at least ${needed} (ulimit -n, or LimitNOFILE= in a systemd unit)`,
      );
    });
  }

  itNeeding(noPrlimit, 'are not 128 for a command', async () => {
    for (const args of [['--version'], ['--once'], ['listeners']]) {
      expect((await run(args, within('--nofile=128:128'))).code).toBe(0);
    }
  });

  itNeeding(noPrlimit, 'are not 256, nor 32 that Node.js may raise to that', async () => {
    for (const limit of ['256:256', '32:256']) {
      const daemon = await Daemon.started([], within(`--nofile=${limit}`));
      expect((await daemon.get('/metrics')).status).toBe(200);
      expect((await daemon.end('SIGTERM')).code).toBe(0);
    }
  });
});

describe('too little address space', () => {
  for (const gib of [1.5, 2, 4, 11]) {
    itNeeding(noPrlimit, `to serve is one line: ${gib} GiB`, async () => {
      expectOneLine(
        await run([LISTEN], within(`--as=${gib * GIB}`)),
        /^the limit of address space is \d+\.\d GiB: expected at least 12 GiB, because /,
      );
    });
  }

  itNeeding(noPrlimit, 'for a command is one line', async () => {
    expectOneLine(
      await run(['--version'], within(`--as=${Math.floor(0.9 * GIB)}`)),
      /^the limit of address space is 0\.9 GiB: expected at least 1 GiB, because /,
    );
  });

  itNeeding(noPrlimit, 'is not 12 GiB to serve, nor 1.5 GiB for a command', async () => {
    const once = await run(['--once'], within(`--as=${1.5 * GIB}`));
    expect(once.code).toBe(0);
    const daemon = await Daemon.started([], within(`--as=${12 * GIB}`));
    expect((await daemon.get('/metrics')).status).toBe(200);
    expect((await daemon.get('/')).status).toBe(200);
    expect((await daemon.end('SIGTERM')).code).toBe(0);
  });
});
