import { execFileSync } from 'node:child_process';
import { expect, it, vi } from 'vitest';
import { type ConnectTarget, tcpConnect } from '../../src/probes/tcpConnect.ts';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS, sleepMs } from '../live/support/kernel.ts';
import { describeLive } from '../live/support/privilege.ts';

const LATER = { timeoutMs: 10_000 * SLOWNESS };

/** What ss has on sockets of this namespace that neither listen nor are closed. */
function connections(): string[] {
  const lines = execFileSync('ss', ['-tanH'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('LISTEN'));
}

for (const withLibc of [true, false]) {
  const how = withLibc ? "the C library's socket" : "Node's own socket";
  const connect = (target: Omit<ConnectTarget, 'timeoutMs'>, timeoutMs = LATER.timeoutMs) =>
    tcpConnect({ ...target, timeoutMs }, { withLibc });

  describeLive(`One TCP connection, on ${how}`, () => {
    it.each(['127.0.0.1', '::1'])(
      'to %s stands, and leaves nothing behind on either side',
      async (address) => {
        const world = newWorld();
        const server = world.listen(address, 8001);
        for (let made = 0; made < 300; made++) {
          const outcome = await connect({ address, port: 8001 });
          expect(outcome).toEqual({ connected: true, seconds: expect.any(Number) });
          expect(outcome.seconds).toBeGreaterThan(0);
        }
        world.end(server);
        await vi.waitFor(() => expect(connections()).toEqual([]));
      },
    );

    it('is refused where nobody listens', async () => {
      newWorld();
      expect(await connect({ address: '::1', port: 8001 })).toMatchObject({
        ...{ connected: false, reason: 'refused', error: 'ECONNREFUSED' },
      });
    });

    it.each([
      ['unreachable', 'EHOSTUNREACH'],
      ['prohibit', 'EACCES'],
      ['blackhole', 'EINVAL'],
    ])('is unreachable by a route that says %s', async (route, error) => {
      newWorld();
      execFileSync('ip', ['route', 'add', route, '192.0.2.1']);
      expect(await connect({ address: '192.0.2.1', port: 80 })).toMatchObject({
        ...{ connected: false, reason: 'unreachable', error },
      });
    });

    it('is unreachable without a route', async () => {
      newWorld();
      expect(await connect({ address: '192.0.2.1', port: 80 })).toMatchObject({
        ...{ connected: false, reason: 'unreachable', error: 'ENETUNREACH' },
      });
    });

    it('times out where nobody answers, and gives up its socket and port at once', async () => {
      const world = newWorld();
      world.listen('127.0.0.1', 8001, { backlog: 0 });
      world.knock('127.0.0.1', 8001);
      world.knock('127.0.0.1', 8001);
      const before = connections();
      expect(await connect({ address: '127.0.0.1', port: 8001 }, 300)).toMatchObject({
        ...{ connected: false, reason: 'timeout', error: 'ETIMEDOUT' },
      });
      await vi.waitFor(() => expect(connections().length).toBeLessThanOrEqual(before.length));
    });

    it('has not timed out where an answer waits for this thread, which was late itself', async () => {
      const world = newWorld();
      world.listen('127.0.0.1', 8001);
      const outcome = await new Promise((resolve) => {
        // From here the event loop comes to its timers before it looks for answers.
        setImmediate(() => {
          resolve(connect({ address: '127.0.0.1', port: 8001 }, 20));
          sleepMs(100);
        });
      });
      expect(outcome).toMatchObject({ connected: true });
    });

    it('to itself is none: it is refused where nobody listens', async () => {
      newWorld({ range: [40_000, 40_000] });
      expect(await connect({ address: '127.0.0.1', port: 40_000 })).toMatchObject({
        ...{ connected: false, reason: 'refused', error: 'ECONNREFUSED' },
      });
    });

    it('ends early when told to, and gives up its socket and port', async () => {
      const world = newWorld();
      world.listen('127.0.0.1', 8001, { backlog: 0 });
      world.knock('127.0.0.1', 8001);
      world.knock('127.0.0.1', 8001);
      const before = connections();
      const target = { address: '127.0.0.1', port: 8001, ...LATER };
      for (const signal of [AbortSignal.timeout(50), AbortSignal.abort()]) {
        expect(await tcpConnect({ ...target, signal }, { withLibc })).toMatchObject({ error: 'ECANCELED' });
      }
      await vi.waitFor(() => expect(connections().length).toBeLessThanOrEqual(before.length));
    });

    it('has no local port where the destination has used them all, and has one again after that', async () => {
      const world = newWorld();
      const all: number[] = [];
      times(100, () => all.push(world.connect('127.0.0.1')));
      const full = { connected: false, reason: 'no_local_port', error: 'EADDRNOTAVAIL' };
      expect(await connect({ address: '127.0.0.1', port: 8001 })).toMatchObject(full);
      world.abort(all.pop() ?? -1);
      expect(await connect({ address: '127.0.0.1', port: 8001 })).toMatchObject({ connected: true });
    });

    it('comes from the source address it is told', async () => {
      const world = newWorld();
      world.listen('127.0.0.1', 8001);
      times(100, () => world.connect('127.0.0.1'));
      expect(await connect({ address: '127.0.0.1', port: 8001, from: '127.0.0.9' })).toMatchObject({
        connected: true,
      });
      world.addIpv6('2001:db8::9');
      world.listen('::1', 8002);
      expect(await connect({ address: '::1', port: 8002, from: '2001:db8::9' })).toMatchObject({
        connected: true,
      });
    });

    it.each([
      ['127.0.0.1', '192.0.2.9'],
      ['::1', '2001:db8::9'],
    ])('to %s has no source address where %s is none of this machine', async (address, from) => {
      newWorld();
      expect(await connect({ address, port: 8001, from })).toMatchObject({
        ...{ connected: false, reason: 'no_source_address', error: 'EADDRNOTAVAIL' },
      });
    });

    it('has no source address either where the machine has none of that family', async () => {
      const world = newWorld();
      world.sysctl('net.ipv6.conf.all.disable_ipv6', '1');
      expect(await connect({ address: '::1', port: 8001 })).toMatchObject({
        ...{ connected: false, reason: 'no_source_address', error: 'EADDRNOTAVAIL' },
      });
    });
  });
}

describeLive('The source address of a connection', () => {
  it('takes no port from other destinations: the C library binds it without one', async () => {
    const world = newWorld();
    // All ports but one are held by plain bind(), so a bind(address, 0) would take the last one from everybody.
    times(99, () => world.bound('127.0.0.9'));
    // One connection waits to be accepted, and no second one may.
    world.listen('127.0.0.1', 8001, { backlog: 0 });
    world.knock('127.0.0.1', 8001);
    const target = { address: '127.0.0.1', port: 8001, from: '127.0.0.9', timeoutMs: 500 };
    world.listen('127.0.0.2', 8001);
    const attempt = tcpConnect(target);
    const elsewhere = await tcpConnect({ ...target, address: '127.0.0.2', ...LATER });
    expect(elsewhere).toMatchObject({ connected: true });
    await attempt;
  });
});
