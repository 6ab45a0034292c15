import { expect, it } from 'vitest';
import { binds, bindsUnused, bindsWildcard, connects, expectExact, times } from './support/exact.ts';
import { KERNEL_SHOWS_BOUND_ONLY } from './support/kernel.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

describeLive('TCP bind() to port 0: available is what the kernel still gives', () => {
  it('every port with a socket on the address is used, whatever its destination', async () => {
    const prepare = (world: World) => {
      times(30, () => world.connect('127.0.0.1'));
      times(20, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.9', noPort: true }));
    };
    expect(await expectExact({}, prepare, [binds('127.0.0.1'), binds('127.0.0.9')])).toEqual([70, 80]);
  });

  it('an address full of connections has none left', async () => {
    const prepare = (world: World) => times(100, () => world.connect('127.0.0.1'));
    expect(await expectExact({}, prepare, [binds('127.0.0.1')])).toEqual([0]);
  });

  it('wildcard holders take from addresses that nobody uses yet', async () => {
    const prepare = (world: World) => times(20, (i) => world.listen('0.0.0.0', 40010 + i));
    expect(await expectExact({}, prepare, [bindsUnused('127.0.0.4')])).toEqual([80]);
  });

  it('listeners on wildcard addresses hold their port on every address they cover', async () => {
    const prepare = (world: World) => {
      times(4, (i) => world.listen('0.0.0.0', 40010 + i));
      times(3, (i) => world.listen('::', 40020 + i));
      times(2, (i) => world.listen('::', 40030 + i, { v6only: true }));
      times(5, (i) => world.listen('127.0.0.1', 40040 + i));
      times(6, (i) => world.listen('::1', 40050 + i));
    };
    const drives = [binds('127.0.0.1'), binds('::1'), bindsWildcard('::')];
    expect(await expectExact({}, prepare, drives)).toEqual([88, 89, 80]);
  });

  it.runIf(KERNEL_SHOWS_BOUND_ONLY)('bound-only sockets hold their port, mapped ones as IPv4', async () => {
    const prepare = (world: World) => {
      times(10, (i) => world.bound('127.0.0.1', 40000 + i));
      times(10, (i) => world.bound('::ffff:127.0.0.1', 40010 + i));
      times(5, (i) => world.bound('::', 40020 + i));
      times(5, (i) => world.bound('::', 40030 + i, { v6only: true }));
      times(7, (i) => world.bound('::1', 40040 + i));
    };
    const drives = [binds('127.0.0.1'), binds('::1'), binds('::ffff:127.0.0.1')];
    const promisedAsIpv4 = { ...drives[2], promised: binds('127.0.0.1').promised } as (typeof drives)[0];
    expect(await expectExact({}, prepare, [binds('127.0.0.1'), binds('::1'), promisedAsIpv4])).toEqual([
      75, 83, 75,
    ]);
  });

  it('several local addresses are used up one by one', async () => {
    const prepare = (world: World) => {
      world.addIpv6('fd00::1');
      times(40, () => world.connect('::1'));
      times(10, () => world.connect('fd00::1'));
      times(100, () => world.connect('127.0.0.1'));
    };
    const drives = [binds('::1'), binds('fd00::1'), binds('127.0.0.1'), connects('fd00::1')];
    expect(await expectExact({}, prepare, drives)).toEqual([60, 90, 0, 90]);
  });

  it('an odd number of ports is exact to within 1', async () => {
    const prepare = (world: World) => times(10, () => world.connect('127.0.0.1'));
    await expectExact({ range: [40001, 40051] }, prepare, [binds('127.0.0.1')], { within: 1 });
  });
});
