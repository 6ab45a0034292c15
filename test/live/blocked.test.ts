import { expect, it } from 'vitest';
import { binds, connects, expectExact, expectPromiseKept, newWorld, times } from './support/exact.ts';
import { Exporter } from './support/exporter.ts';
import { KERNEL_SHOWS_BOUND_ONLY, KERNEL_TELLS_BLOCKED, READS_BUCKETS } from './support/kernel.ts';
import { describeLive } from './support/privilege.ts';
import { untilRefused, type World } from './support/world.ts';

/** Evidence of connections that did bind() first. */
const BOUND_FIRST = READS_BUCKETS ? 'bucket' : 'inferred';

describeLive('Blocked ports: a bind() takes its port from every connect()', () => {
  it('listeners inside the range, on any address and family', async () => {
    const prepare = (world: World) => {
      times(5, (i) => world.listen('127.0.0.8', 40010 + i));
      times(4, (i) => world.listen('::1', 40020 + i));
      times(3, (i) => world.listen('0.0.0.0', 40030 + i));
      times(2, (i) => world.listen('::', 40040 + i, { v6only: true }));
      // One port with two listeners counts once.
      world.listen('127.0.0.9', 40010);
    };
    const drives = [
      connects('127.0.0.1'),
      connects('::1'),
      connects('127.0.0.1', { local: '127.0.0.7', noPort: true }),
    ];
    expect(await expectExact({}, prepare, drives)).toEqual([86, 86, 86]);
  });

  it('inbound connections on such a listener take nothing more', async () => {
    const prepare = (world: World) => {
      world.listen('127.0.0.1', 40010);
      times(20, () => {
        world.connect('127.0.0.1', 40010);
        world.accept('127.0.0.1', 40010);
      });
    };
    const drives = [connects('127.0.0.1'), connects('127.0.0.1', { port: 40010 })];
    expect(await expectExact({}, prepare, drives)).toEqual([99, 79]);
  });

  it.runIf(KERNEL_SHOWS_BOUND_ONLY)('bound-only sockets inside the range, IPv4 and IPv6', async () => {
    const prepare = (world: World) => {
      times(8, (i) => world.bound('::1', 40050 + i));
      times(3, (i) => world.bound('0.0.0.0', 40060 + i));
      times(5, (i) => world.listen('127.0.0.8', 40080 + i));
    };
    expect(await expectExact({}, prepare, [connects('127.0.0.1'), connects('::1')])).toEqual([84, 84]);
  });

  it.runIf(KERNEL_SHOWS_BOUND_ONLY)('bound-only sockets whose port the kernel chose', async () => {
    const prepare = (world: World) => times(10, () => world.bound('127.0.0.7'));
    expect(await expectExact({}, prepare, [connects('127.0.0.1'), connects('::1')])).toEqual([90, 90]);
  });

  it('bound-only sockets are evidence of their own, or unknown before Linux 6.8', async () => {
    const world = newWorld();
    times(10, (i) => world.bound('127.0.0.7', 40000 + i));
    world.listen('127.0.0.8', 40000);
    const exporter = new Exporter();
    await exporter.sample();
    exporter.close();
    const blocked = (evidence: string) => exporter.value('port_ephemeral_blocked_ports', { evidence });
    expect(blocked('listener')).toBe(1);
    // Port 40000 has both and counts once, under the first evidence.
    expect(blocked('bound')).toBe(KERNEL_SHOWS_BOUND_ONLY ? 9 : undefined);
    expect(blocked(BOUND_FIRST)).toBe(0);
    const bound = exporter.value('port_sockets', {
      protocol: 'tcp',
      family: 'ipv4',
      state: 'bound_inactive',
    });
    expect(bound).toBe(KERNEL_SHOWS_BOUND_ONLY ? 10 : undefined);
  });

  it('bind() before connect(): the ports are known from their buckets, or inferred from their parity', async () => {
    const prepare = (world: World) => {
      times(30, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
    };
    const drives = [connects('127.0.0.1'), connects('127.0.0.2'), connects('::1'), binds('127.0.0.1')];
    expect(await expectExact({}, prepare, drives)).toEqual([70, 70, 70, 70]);
  });

  it('bind() before connect() from a second address and to several destinations', async () => {
    const prepare = (world: World) => {
      times(15, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.9' }));
      times(15, () => world.connect('127.0.0.1', 8002, { from: '127.0.0.9' }));
      times(20, () => world.connect('127.0.0.1'));
    };
    const drives = [
      connects('127.0.0.1'),
      connects('127.0.0.2'),
      connects('127.0.0.1', { local: '127.0.0.9', noPort: true }),
      binds('127.0.0.9'),
    ];
    expect(await expectExact({}, prepare, drives)).toEqual([50, 70, 70, 70]);
  });

  it('bind() before connect() over IPv6 blocks IPv4 too', async () => {
    const prepare = (world: World) => times(30, () => world.connect('::1', 8001, { from: '::1' }));
    expect(await expectExact({}, prepare, [connects('::1'), connects('127.0.0.1')])).toEqual([70, 70]);
  });

  it('ports chosen by number, in either half, are a fact and take nothing twice', async () => {
    const prepare = (world: World) => {
      times(7, (i) => world.connect('127.0.0.1', 8001, { from: '127.0.0.9', port: 40010 + 2 * i }));
      times(6, (i) => world.connect('127.0.0.1', 8002, { from: '127.0.0.9', port: 40051 + 2 * i }));
      times(2, (i) => world.connect('::1', 8003, { from: '::1', port: 40090 + i }));
      times(20, () => world.connect('127.0.0.1'));
    };
    const drives = [
      connects('127.0.0.1'),
      connects('127.0.0.2'),
      connects('127.0.0.1', { local: '127.0.0.9', noPort: true, port: 8001 }),
      connects('::1'),
    ];
    expect(await expectExact({}, prepare, drives)).toEqual([65, 85, 85, 85]);
  });

  it('ports chosen by number in the preferred half: another destination passes its half earlier', async () => {
    const prepare = (world: World) => {
      times(30, (i) => world.connect('127.0.0.1', 8001, { from: '127.0.0.9', port: 40000 + 2 * i }));
      // 20 even ports are left for it, and it goes on with odd ones.
      times(35, () => world.connect('127.0.0.1'));
    };
    const drives = [connects('127.0.0.1'), connects('127.0.0.2'), connects('::1')];
    expect(await expectExact({}, prepare, drives)).toEqual([35, 70, 70]);
  });

  it('a port chosen by number is evidence of its own, also in TIME_WAIT, until nobody holds it', async () => {
    const world = newWorld();
    const exporter = new Exporter();
    const fds = Array.from({ length: 8 }, (_, i) =>
      world.connect('127.0.0.1', 8001, { from: '127.0.0.9', port: 40020 + i }),
    );
    const blocked = (evidence: string) => exporter.value('port_ephemeral_blocked_ports', { evidence });
    await exporter.sample();
    expect([blocked('explicit'), blocked(BOUND_FIRST)]).toEqual(READS_BUCKETS ? [undefined, 8] : [8, 0]);
    for (const fd of fds.slice(0, 3)) {
      world.end(fd);
      world.end(world.accept('127.0.0.1', 8001));
    }
    for (const fd of fds.slice(3, 5)) world.abort(fd);
    await exporter.sample();
    exporter.close();
    expect([blocked('explicit'), blocked(BOUND_FIRST)]).toEqual(READS_BUCKETS ? [undefined, 6] : [6, 0]);
    const promised = connects('127.0.0.2').promised(exporter);
    expect(promised).toBe(94);
    expect(untilRefused(() => world.connect('127.0.0.2')).succeeded).toBe(promised);
  });

  it('bind() with IP_BIND_ADDRESS_NO_PORT blocks nothing', async () => {
    const prepare = (world: World) => {
      times(60, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.9', noPort: true }));
    };
    const drives = [connects('127.0.0.1', { local: '127.0.0.9', noPort: true }), connects('127.0.0.1')];
    expect(await expectExact({}, prepare, drives)).toEqual([40, 100]);
  });

  it('mixed with plain connections beyond half of the range, its own destination stays exact', async () => {
    const prepare = (world: World) => {
      times(30, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
      times(45, () => world.connect('127.0.0.1'));
    };
    expect(await expectExact({}, prepare, [connects('127.0.0.1'), connects('127.0.0.2')])).toEqual([25, 70]);
    const pastHalf = (world: World) => {
      prepare(world);
      times(15, () => world.connect('127.0.0.1'));
    };
    expect(await expectExact({}, pastHalf, [connects('127.0.0.1')])).toEqual([10]);
  });

  it('a sampler remembers what it inferred when a destination goes past its half', async () => {
    const world = newWorld();
    const exporter = new Exporter();
    times(30, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.1' }));
    await exporter.sample();
    times(60, () => world.connect('127.0.0.1'));
    await exporter.sample();
    exporter.close();
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: BOUND_FIRST })).toBe(30);
    expect(connects('127.0.0.1').promised(exporter)).toBe(10);
    const promised = connects('127.0.0.2').promised(exporter);
    expectPromiseKept(exporter, promised, untilRefused(() => world.connect('127.0.0.2')).succeeded);
  });

  it('a sampler remembers which destinations were past their half after they drained', async () => {
    const world = newWorld();
    const exporter = new Exporter();
    const connections = Array.from({ length: 80 }, () => world.connect('127.0.0.1'));
    await exporter.sample();
    for (const fd of connections.slice(0, 45)) world.abort(fd);
    await exporter.sample();
    await exporter.sample();
    exporter.close();
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: BOUND_FIRST })).toBe(0);
    const promised = connects('127.0.0.2').promised(exporter);
    if (KERNEL_TELLS_BLOCKED) expect(promised).toBe(100);
    const { succeeded } = untilRefused(() => world.connect('127.0.0.2'));
    expect(succeeded).toBe(100);
    expectPromiseKept(exporter, promised, succeeded);
  });
});
