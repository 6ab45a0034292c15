import { expect, it } from 'vitest';
import { readPortSysctls } from '../../src/kernel/sysctl.ts';
import { binds, bindsUnused, connects, expectExact, newWorld, times, udpConnects } from './support/exact.ts';
import { Exporter } from './support/exporter.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

describeLive('The ephemeral range', () => {
  it('reserved ports are withheld, those outside the range make no difference', async () => {
    const setup = { reserved: '39000-39100,40010-40019,40050,41000' };
    const drives = [
      connects('127.0.0.1'),
      bindsUnused('127.0.0.1'),
      bindsUnused('127.0.0.1', 'udp'),
      udpConnects('127.0.0.1'),
    ];
    expect(await expectExact(setup, () => {}, drives)).toEqual([89, 89, 89, 89]);
  });

  it('a socket on a reserved or foreign port takes nothing from the range', async () => {
    const setup = { reserved: '40010-40019' };
    const prepare = (world: World) => {
      world.listen('127.0.0.1', 40010);
      world.listen('127.0.0.1', 39999);
      world.bound('127.0.0.1', 40100);
      world.connect('127.0.0.1', 8001, { from: '127.0.0.1', port: 40011 });
    };
    expect(await expectExact(setup, prepare, [connects('127.0.0.1'), bindsUnused('127.0.0.1')])).toEqual([
      90, 90,
    ]);
  });

  it('an odd first port turns the halves around', async () => {
    const setup = { range: [40001, 40100] } as const;
    const prepare = (world: World) => {
      times(20, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
      times(30, () => world.connect('127.0.0.1'));
    };
    const drives = [connects('127.0.0.1'), connects('127.0.0.2'), binds('127.0.0.1')];
    expect(await expectExact(setup, prepare, drives)).toEqual([50, 80, 50]);
  });

  it('a range of one port has one port for every destination', async () => {
    const setup = { range: [40000, 40000] } as const;
    expect(await expectExact(setup, () => {}, [connects('127.0.0.1'), bindsUnused('127.0.0.1')])).toEqual([
      1, 1,
    ]);
    const fill = (world: World) => world.connect('127.0.0.1');
    expect(await expectExact(setup, fill, [connects('127.0.0.1'), connects('127.0.0.2')])).toEqual([0, 1]);
  });

  it('with an odd number of ports a call leaves one out: exact to within 1', async () => {
    const setup = { range: [40000, 40100] } as const;
    const prepare = (world: World) => times(20, () => world.connect('127.0.0.1'));
    await expectExact(setup, prepare, [connects('127.0.0.1'), connects('127.0.0.2'), binds('127.0.0.1')], {
      within: 1,
    });
  });

  it('shows its ends, what is reserved of it, and what is left', async () => {
    newWorld({ range: [40000, 40199], reserved: '1-100,40190-40300' });
    const exporter = new Exporter();
    await exporter.sample();
    exporter.close();
    expect(exporter.value('port_ephemeral_range_first_port')).toBe(40000);
    expect(exporter.value('port_ephemeral_range_last_port')).toBe(40199);
    expect(exporter.value('port_ephemeral_reserved_ports')).toBe(10);
    expect(exporter.value('port_ephemeral_ports')).toBe(190);
  });

  it('reads the longest list of reserved ports whole', () => {
    newWorld({ reserved: Array.from({ length: 32_768 }, (_, index) => 2 * index + 1).join(',') });
    const { reserved } = readPortSysctls('/proc');
    expect([reserved.length, reserved.at(-1)]).toEqual([32_768, [65_535, 65_535]]);
  });

  it('with every port reserved nothing is available and every ratio is 1', async () => {
    newWorld({ reserved: '40000-40099' });
    const exporter = new Exporter();
    await exporter.sample();
    exporter.close();
    for (const protocol of ['tcp', 'udp']) {
      for (const scope of ['connect', 'bind']) {
        expect(exporter.value('port_exhaustion_available_ports', { protocol, scope })).toBe(0);
        expect(exporter.value('port_exhaustion_ratio', { protocol, scope })).toBe(1);
      }
    }
  });
});
