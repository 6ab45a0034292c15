import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { runningBelow } from '../e2e/support/processes.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Daemon } from '../e2e/support/program.ts';
import { SLOWNESS } from '../live/support/kernel.ts';

const QUICK = ['--sample.interval=100ms', '--sample.max-duty=1'];
const SOON = { timeout: 20_000 * SLOWNESS, interval: 20 };

const samplerOf = ({ child }: Daemon) => runningBelow(child.pid, 'sampler.js');

/** How a daemon comes into a state, and the daemon. */
const STATES: readonly (readonly [string, () => Promise<Daemon>])[] = [
  [
    'has not sampled yet',
    async () => {
      const daemon = new Daemon(['--web.listen-address=127.0.0.1:0', ...QUICK]);
      await daemon.logged(/msg=listening/);
      return daemon;
    },
  ],
  ['samples all the time', () => Daemon.started(['--sample.interval=1ms', '--sample.max-duty=1'])],
  [
    'has a sampler that hangs',
    async () => {
      const daemon = await Daemon.started(QUICK);
      process.kill(samplerOf(daemon), 'SIGSTOP');
      return daemon;
    },
  ],
  [
    'waits to start another sampler',
    async () => {
      const daemon = await Daemon.started(QUICK);
      process.kill(samplerOf(daemon), 'SIGKILL');
      await daemon.logged(/msg="sampling stopped" reason="the sampler was killed by SIGKILL" retry_in=1s$/);
      return daemon;
    },
  ],
  [
    'has a bad configuration to reload',
    async () => {
      const file = join(newDirectory(), 'web.yml');
      writeFileSync(file, '');
      const daemon = await Daemon.started([...QUICK, `--web.config.file=${file}`]);
      writeFileSync(file, 'nonsense: true');
      return daemon;
    },
  ],
  [
    'has half a request to answer',
    async () => {
      const daemon = await Daemon.started(QUICK);
      const half = connect(daemon.port, '127.0.0.1').on('error', () => {});
      await once(half, 'connect');
      half.write('GET /metrics HTTP/1.1\r\nHost: ');
      return daemon;
    },
  ],
];

describe.each(STATES)('a daemon that %s', (_, reach) => {
  it.concurrent.each(['SIGTERM', 'SIGINT'] as const)(
    'ends at %s, with status 0 and nothing left',
    async (signal) => {
      const daemon = await reach();
      const { tookMs, ...ended } = await daemon.end(signal);
      expect(ended).toEqual({ code: 0, signal: null });
      expect(tookMs).toBeLessThan(2000 * SLOWNESS);
      expect(daemon.lines.at(-1)).toMatch(new RegExp(`msg=stopping signal=${signal}$`));
    },
  );

  it.concurrent('outlives all the others, sent to it a hundred times, and samples again', async () => {
    const daemon = await reach();
    for (let n = 0; n < 100; n++) {
      for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGPIPE', 'SIGWINCH', 'SIGCONT', 'SIGURG'] as const) {
        daemon.child.kill(signal);
      }
    }
    await vi.waitFor(async () => {
      expect((await daemon.get('/-/ready')).status).toBe(200);
      expect((await daemon.get('/metrics')).text).toMatch(/^port_ephemeral_ports\{/m);
    }, SOON);
    expect(daemon.lines.join('\n')).not.toMatch(/^ {4}at |internal error/m);
    expect(await daemon.end()).toMatchObject({ code: 0, signal: null });
  });

  it.concurrent('leaves nothing at SIGKILL', async () => {
    const daemon = await reach();
    expect(await daemon.end('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
  });
});
