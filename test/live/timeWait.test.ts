import { expect, it } from 'vitest';
import { binds, connects, type Drive, expectExact, newWorld, times } from './support/exact.ts';
import { sampled } from './support/exporter.ts';
import { hasSysctl, READS_BUCKETS, SLOWNESS, sleepMs } from './support/kernel.ts';
import { describeLive } from './support/privilege.ts';
import { SERVER_PORT, untilRefused, type World } from './support/world.ts';

const HAS_DELAY = hasSysctl('net.ipv4.tcp_tw_reuse_delay');
/** Kernels before 6.14 have no such sysctl and count in whole seconds. */
const SHORT_DELAY_MS = 150;
const OLD_MS = HAS_DELAY ? SHORT_DELAY_MS + 50 : 2100;

/** TIME_WAIT sockets that connect() must not take over yet. */
function young(world: World): void {
  if (HAS_DELAY) world.sysctl('net.ipv4.tcp_tw_reuse_delay', '60000');
  world.timeWait(40, '127.0.0.1');
}

/** TIME_WAIT sockets that connect() may take over, where it may at all. */
function old(world: World): void {
  world.timeWait(40, '127.0.0.1');
  growOld(world);
}

function growOld(world: World): void {
  if (HAS_DELAY) world.sysctl('net.ipv4.tcp_tw_reuse_delay', String(SHORT_DELAY_MS));
  sleepMs(OLD_MS);
}

describeLive('TIME_WAIT: connect() takes over what net.ipv4.tcp_tw_reuse permits, and only that', () => {
  it('0: never', async () => {
    expect(await expectExact({ twReuse: 0 }, old, [connects('127.0.0.1')])).toEqual([60]);
  });

  it.for([1, 2] as const)('%i, on loopback: not while young', async (twReuse) => {
    // Making the sockets takes an emulated machine longer than they are young.
    if (SLOWNESS > 1 && !HAS_DELAY) return;
    expect(await expectExact({ twReuse }, young, [connects('127.0.0.1')])).toEqual([60]);
  });

  it.for([1, 2] as const)('%i, on loopback: every one that is old enough', async (twReuse) => {
    expect(await expectExact({ twReuse }, old, [connects('127.0.0.1')])).toEqual([100]);
  });

  it('after a second, where nothing else is set', async () => {
    const prepare = (world: World) => {
      world.timeWait(40, '127.0.0.1');
      sleepMs(HAS_DELAY ? 1050 : 2100);
    };
    expect(await expectExact({}, prepare, [connects('127.0.0.1')])).toEqual([100]);
  });

  it('native IPv6 and mapped sockets likewise', async () => {
    const prepare = (world: World) => {
      world.timeWait(30, '::1');
      world.timeWait(20, '::ffff:127.0.0.1');
      growOld(world);
      times(10, () => world.connect('::1'));
    };
    // A connection that took over a TIME_WAIT is one port the fewer reclaimable: 90 left either way.
    expect(await expectExact({ twReuse: 2 }, prepare, [connects('::1'), connects('127.0.0.1')])).toEqual([
      90, 100,
    ]);
  });

  it('2: not beyond loopback', async () => {
    const prepare = (world: World) => {
      world.addIpv6('fd00::1');
      world.timeWait(40, 'fd00::1');
      growOld(world);
    };
    // The other address of lo is not a loopback address, but the device is: the kernel looks at addresses unless bound to lo.
    expect(await expectExact({ twReuse: 2 }, prepare, [connects('fd00::1')])).toEqual([60]);
    expect(await expectExact({ twReuse: 1 }, prepare, [connects('fd00::1')])).toEqual([100]);
  });

  it('2: also between other addresses, where the socket is bound to lo', async () => {
    const prepare = (world: World) => {
      world.addIpv6('fd00::1');
      world.timeWait(40, 'fd00::1', SERVER_PORT, { device: 'lo' });
      growOld(world);
    };
    const drive: Drive = {
      what: 'connect() to fd00::1 bound to lo',
      promised: (exporter) =>
        exporter.value('port_destination_available_ports', { remote_address: 'fd00::1', device: 'lo' }),
      call: (world) => world.connect('fd00::1', SERVER_PORT, { device: 'lo' }),
      error: 'EADDRNOTAVAIL',
    };
    expect(await expectExact({ twReuse: 2 }, prepare, [drive])).toEqual([100]);
  });

  it('with TCP timestamps that were switched off since: promised as if not where no dump tells', async () => {
    const world = newWorld({ twReuse: 1 });
    old(world);
    world.sysctl('net.ipv4.tcp_timestamps', '0');
    const exporter = await sampled();
    expect(exporter.value('port_destination_available_ports', { remote_address: '127.0.0.1' })).toBe(
      READS_BUCKETS ? 100 : 60,
    );
    expect(untilRefused(() => world.connect('127.0.0.1'))).toEqual({
      succeeded: 100,
      error: 'EADDRNOTAVAIL',
    });
  });

  it('without TCP timestamps: never', async () => {
    const prepare = (world: World) => {
      world.sysctl('net.ipv4.tcp_timestamps', '0');
      old(world);
    };
    expect(await expectExact({ twReuse: 1 }, prepare, [connects('127.0.0.1')])).toEqual([60]);
  });

  it('bind() gets none of them back', async () => {
    expect(await expectExact({ twReuse: 1 }, old, [binds('127.0.0.1')])).toEqual([60]);
  });

  it('of connections that did bind() first: blocked, never reusable', async () => {
    const prepare = (world: World) => {
      world.timeWait(20, '127.0.0.1', 8001, { from: '127.0.0.1' });
      growOld(world);
    };
    expect(
      await expectExact({ twReuse: 1 }, prepare, [connects('127.0.0.1'), connects('127.0.0.2')]),
    ).toEqual([80, 80]);
  });
});
