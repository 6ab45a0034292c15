import { expect, it } from 'vitest';
import { binds, bindsWildcard, expectExact, times, udpConnects } from './support/exact.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

describeLive('UDP: available is what the kernel still gives', () => {
  it('unbound connect() shares one set of ports, whatever the destination', async () => {
    const prepare = (world: World) => {
      times(20, () => world.connectUdp('127.0.0.1'));
      times(10, () => world.connectUdp('127.0.0.2', 53));
      times(5, () => world.sendUdp('127.0.0.1'));
    };
    expect(await expectExact({}, prepare, [udpConnects('127.0.0.1'), udpConnects('127.0.0.3')])).toEqual([
      65, 65,
    ]);
  });

  it('both families share it: the worst case is an unbound IPv6 socket', async () => {
    const prepare = (world: World) => {
      times(5, (i) => world.bound('::1', 40050 + i, { type: 'udp' }));
      times(7, (i) => world.bound('127.0.0.5', 40060 + i, { type: 'udp' }));
      times(15, () => world.connectUdp('::1'));
    };
    expect(await expectExact({}, prepare, [udpConnects('::1')])).toEqual([73]);
  });

  it('bind() meets holders of its address and of wildcards', async () => {
    const prepare = (world: World) => {
      times(10, (i) => world.bound('127.0.0.1', 40000 + i, { type: 'udp' }));
      times(8, (i) => world.bound('127.0.0.2', 40010 + i, { type: 'udp' }));
      times(6, (i) => world.bound('0.0.0.0', 40020 + i, { type: 'udp' }));
      times(4, (i) => world.bound('::', 40030 + i, { type: 'udp' }));
      times(3, (i) => world.bound('::', 40040 + i, { type: 'udp', v6only: true }));
      times(2, (i) => world.bound('::1', 40050 + i, { type: 'udp' }));
      times(5, (i) => world.bound('::ffff:127.0.0.1', 40060 + i, { type: 'udp' }));
    };
    const drives = [
      binds('127.0.0.1', 'udp'),
      binds('127.0.0.2', 'udp'),
      binds('::1', 'udp'),
      bindsWildcard('::', 'udp'),
      udpConnects('::1'),
    ];
    expect(await expectExact({}, prepare, drives)).toEqual([75, 82, 91, 62, 62]);
  });

  it('connected sockets hold their port on their local address', async () => {
    const prepare = (world: World) => {
      times(30, () => world.connectUdp('127.0.0.1'));
      times(12, () => world.connectUdp('::1'));
    };
    expect(await expectExact({}, prepare, [binds('127.0.0.1', 'udp'), binds('::1', 'udp')])).toEqual([
      70, 88,
    ]);
  });

  it('TCP and UDP have the range each for themselves', async () => {
    const prepare = (world: World) => {
      times(100, () => world.connect('127.0.0.1'));
      times(40, () => world.connectUdp('127.0.0.1'));
    };
    expect(await expectExact({}, prepare, [udpConnects('127.0.0.1'), binds('127.0.0.1', 'udp')])).toEqual([
      60, 60,
    ]);
  });

  it('a full namespace has none left in any regime', async () => {
    const prepare = (world: World) => times(100, () => world.connectUdp('127.0.0.1'));
    expect(await expectExact({}, prepare, [udpConnects('127.0.0.1'), binds('127.0.0.1', 'udp')])).toEqual([
      0, 0,
    ]);
  });
});
