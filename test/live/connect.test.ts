import { expect, it } from 'vitest';
import { connects, expectExact, times } from './support/exact.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

describeLive('TCP connect(): available is what the kernel still gives', () => {
  it('a destination nobody used yet can have every usable port', async () => {
    expect(await expectExact({}, () => {}, [connects('127.0.0.1')])).toEqual([100]);
  });

  it('a destination loses a port with every connection, the others lose none', async () => {
    const prepare = (world: World) => {
      times(30, () => world.connect('127.0.0.1'));
      times(70, () => world.connect('127.0.0.2'));
      times(10, () => world.connect('127.0.0.1', 8002));
    };
    const drives = [
      connects('127.0.0.1'),
      connects('127.0.0.2'),
      connects('127.0.0.1', { port: 8002 }),
      connects('127.0.0.3'),
    ];
    expect(await expectExact({}, prepare, drives)).toEqual([70, 30, 90, 100]);
  });

  it('a full destination has 0 left while another has all', async () => {
    const fill = (world: World) => times(100, () => world.connect('127.0.0.1'));
    expect(await expectExact({}, fill, [connects('127.0.0.1'), connects('127.0.0.2')])).toEqual([0, 100]);
  });

  it('another source address makes another destination', async () => {
    const fill = (world: World) => times(60, () => world.connect('127.0.0.1'));
    const drives = [connects('127.0.0.1'), connects('127.0.0.1', { local: '127.0.0.9', noPort: true })];
    expect(await expectExact({}, fill, drives)).toEqual([40, 100]);
  });

  it('native IPv6 destinations are a space of their own', async () => {
    const prepare = (world: World) => {
      times(25, () => world.connect('::1'));
      times(60, () => world.connect('127.0.0.1'));
    };
    const drives = [connects('::1'), connects('127.0.0.1'), connects('::1', { port: 8002 })];
    expect(await expectExact({}, prepare, drives)).toEqual([75, 40, 100]);
  });

  it('IPv4-mapped connections share the tuples of plain ones', async () => {
    const prepare = (world: World) => {
      times(40, () => world.connect('::ffff:127.0.0.1'));
      times(25, () => world.connect('127.0.0.1'));
    };
    const drives = [connects('127.0.0.1'), connects('127.0.0.1', { mapped: true })];
    expect(await expectExact({}, prepare, drives)).toEqual([35, 35]);
  });

  it('connections in other states hold their ports too', async () => {
    const prepare = (world: World) => {
      // Closed by the server alone: CLOSE_WAIT here. Closed by the client alone: FIN_WAIT2, which is not reusable.
      times(10, () => {
        world.connect('127.0.0.1');
        world.end(world.accept('127.0.0.1'));
      });
      times(15, () => {
        const near = world.connect('127.0.0.1');
        world.accept('127.0.0.1');
        world.end(near);
      });
    };
    expect(await expectExact({ twReuse: 1 }, prepare, [connects('127.0.0.1')])).toEqual([75]);
  });
});
