import { execFileSync } from 'node:child_process';
import { expect, it, vi } from 'vitest';
import { tcpConnect } from '../../src/probes/tcpConnect.ts';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { describeLive } from '../live/support/privilege.ts';

const LATER = { timeoutMs: 10_000 * SLOWNESS };

describeLive('One TCP connection', () => {
  it('stands, and leaves nothing behind on either side', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    for (let made = 0; made < 300; made++) {
      expect(await tcpConnect({ address: '127.0.0.1', port: 8001, ...LATER })).toMatchObject({
        connected: true,
      });
    }
    await vi.waitFor(() =>
      expect(execFileSync('ss', ['-tanH', 'state', 'connected'], { encoding: 'utf8' })).not.toMatch(
        /TIME-WAIT|FIN|ESTAB.*127\.0\.0\.1:40/,
      ),
    );
  });

  it('is refused where nobody listens', async () => {
    newWorld();
    expect(await tcpConnect({ address: '::1', port: 8001, ...LATER })).toMatchObject({
      ...{ connected: false, reason: 'refused', error: 'ECONNREFUSED' },
    });
  });

  it('is unreachable without a route', async () => {
    newWorld();
    expect(await tcpConnect({ address: '192.0.2.1', port: 80, ...LATER })).toMatchObject({
      ...{ connected: false, reason: 'unreachable', error: 'ENETUNREACH' },
    });
  });

  it('times out where the accept queue is full', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001, { backlog: 0 });
    world.knock('127.0.0.1', 8001);
    world.knock('127.0.0.1', 8001);
    expect(await tcpConnect({ address: '127.0.0.1', port: 8001, timeoutMs: 300 })).toMatchObject({
      ...{ connected: false, reason: 'timeout', error: 'ETIMEDOUT' },
    });
  });

  it('has no local port where the destination has used them all, and the far end is well', async () => {
    const world = newWorld();
    times(100, () => world.connect('127.0.0.1'));
    expect(await tcpConnect({ address: '127.0.0.1', port: 8001, ...LATER })).toMatchObject({
      ...{ connected: false, reason: 'no_local_port', error: 'EADDRNOTAVAIL' },
    });
  });
});
