import { describe, expect, it } from 'vitest';
import { connects, type Drive, expectExact, newWorld, times } from './support/exact.ts';
import { sampled } from './support/exporter.ts';
import { KERNEL_SHOWS_BOUND_ONLY } from './support/kernel.ts';
import { addTwinLinks, addVrf, enslave, LINKS, vrfRefusal } from './support/links.ts';
import { describeLive } from './support/privilege.ts';
import { SERVER_PORT, type World } from './support/world.ts';

type Device = keyof typeof LINKS;

const PEER = { served: true } as const;

/** Plain connect() to the link-local peer on a link. */
function connectsOnLink(device: Device): Drive {
  return {
    what: `connect() to fe80::2%${device}`,
    promised: (exporter) =>
      exporter.value('port_destination_available_ports', { remote_address: 'fe80::2', device }),
    call: (world) => world.connect(`fe80::2%${LINKS[device]}`, SERVER_PORT, PEER),
    error: 'EADDRNOTAVAIL',
  };
}

/** connect() of a socket bound to a device; '' for none. */
function connectsBoundTo(device: string, to: string, server: object = {}): Drive {
  return {
    what: `connect() to ${to} bound to ${device || 'no device'}`,
    promised: (exporter) =>
      exporter
        .series('port_destination_available_ports', { remote_address: to })
        .find(({ labels }) => (labels['device'] ?? '') === device)?.value,
    call: (world) => world.connect(to, SERVER_PORT, device === '' ? server : { device, ...server }),
    error: 'EADDRNOTAVAIL',
  };
}

/** Nobody needs to answer: the port is taken before the first packet leaves. */
function knocksBoundTo(device: Device | 'red', to: string): Drive {
  return { ...connectsBoundTo(device, to), call: (world) => world.knock(to, SERVER_PORT, device) };
}

function bindsOn(address: string, device: string): Drive {
  const [plain = ''] = address.split('%');
  return {
    what: `bind() to ${address}, ${device || 'no device'}`,
    promised: (exporter) =>
      exporter
        .series('port_local_address_available_ports', { protocol: 'tcp', local_address: plain })
        .find(({ labels }) => (labels['device'] ?? '') === device)?.value,
    call: (world) => world.bound(address),
    error: 'EADDRINUSE',
  };
}

/** Takes a port of the kernel's choice, by bind() alone where the kernel shows such sockets. */
function hold(world: World, address: string, device = ''): void {
  if (KERNEL_SHOWS_BOUND_ONLY) world.bound(address, 0, { device });
  else world.listen(address, 0, { device });
}

describeLive('devices: a destination is one by its device too', () => {
  it('the same link-local peer on two links, each half full', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      times(50, () => world.connect(`fe80::2%${LINKS.va}`, SERVER_PORT, PEER));
      times(50, () => world.connect(`fe80::2%${LINKS.vb}`, SERVER_PORT, PEER));
    };
    const drives = [connectsOnLink('va'), connectsOnLink('vb')];
    expect(await expectExact({}, prepare, drives)).toEqual([50, 50]);
  });

  it('the worst of them is no worse than either', async () => {
    const world = newWorld();
    await addTwinLinks();
    times(50, () => world.connect(`fe80::2%${LINKS.va}`, SERVER_PORT, PEER));
    times(60, () => world.connect(`fe80::2%${LINKS.vb}`, SERVER_PORT, PEER));
    const exporter = await sampled();
    const tcp = { protocol: 'tcp', scope: 'connect' };
    expect(exporter.value('port_exhaustion_available_ports', tcp)).toBe(40);
    expect(exporter.value('port_exhaustion_ratio', tcp)).toBeCloseTo(0.6);
    expect(exporter.value('port_exhaustion_available_ports', { ...tcp, scope: 'bind' })).toBe(40);
  });

  it('SO_BINDTODEVICE over two links', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      times(30, () => world.knock('10.0.0.2', SERVER_PORT, 'va'));
      times(70, () => world.knock('10.0.0.2', SERVER_PORT, 'vb'));
    };
    const drives = [knocksBoundTo('va', '10.0.0.2'), knocksBoundTo('vb', '10.0.0.2')];
    expect(await expectExact({}, prepare, drives)).toEqual([70, 30]);
  });

  it('bound sockets meet unbound ones, unbound ones do not meet bound ones', async () => {
    // The unbound ones come second and take the same ports again.
    const prepare = (world: World) => {
      times(60, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'lo' }));
      times(30, () => world.connect('127.0.0.1'));
    };
    const drives = [connectsBoundTo('', '127.0.0.1'), connectsBoundTo('lo', '127.0.0.1')];
    const [unbound, bound = 0] = await expectExact({}, prepare, drives);
    expect(unbound).toBe(70);
    expect(bound).toBeGreaterThan(10);
  });

  it('bound sockets that came second have what unbound ones left', async () => {
    const prepare = (world: World) => {
      times(60, () => world.connect('127.0.0.1'));
      times(25, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'lo' }));
    };
    const drives = [connectsBoundTo('', '127.0.0.1'), connectsBoundTo('lo', '127.0.0.1')];
    expect(await expectExact({}, prepare, drives)).toEqual([40, 15]);
  });

  it('a socket bound to a device and a port blocks it for all', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      times(10, (index) => world.listen('0.0.0.0', 40_010 + index, { device: 'va' }));
      times(40, () => world.connect('127.0.0.1'));
      times(20, () => world.knock('10.0.0.2', SERVER_PORT, 'vb'));
    };
    const drives = [connects('127.0.0.1'), knocksBoundTo('vb', '10.0.0.2')];
    expect(await expectExact({}, prepare, drives)).toEqual([50, 70]);
  });
});

describeLive('devices: bind() to port 0', () => {
  it('to a link-local address meets the holders of that link alone', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      // Before automatic choice can take their ports.
      times(5, (index) => world.listen('::', 40_095 + index, { v6only: true, device: 'va' }));
      times(50, () => hold(world, `fe80::1%${LINKS.va}`));
      times(60, () => hold(world, `fe80::1%${LINKS.vb}`));
    };
    const drives = [bindsOn(`fe80::1%${LINKS.va}`, 'va'), bindsOn(`fe80::1%${LINKS.vb}`, 'vb')];
    const [va, vb] = await expectExact({}, prepare, drives);
    expect([va, vb]).toEqual([45, 40]);
  });

  it('to another address meets those of every device, where the socket is bound to none', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      times(20, () => hold(world, '10.0.0.1', 'va'));
      times(15, () => world.knock('10.0.0.2', SERVER_PORT, 'vb'));
    };
    const [left = 0] = await expectExact({}, prepare, [bindsOn('10.0.0.1', '')]);
    expect(left).toBeLessThanOrEqual(80);
  });
});

const NO_VRF = vrfRefusal();

describe.skipIf(NO_VRF !== undefined)(`VRFs${NO_VRF === undefined ? '' : ` (none here: ${NO_VRF})`}`, () => {
  /** Red and blue with an address that is outside too, and more and fewer ports taken in each. */
  const inEach = (loopback: '127.0.0.1' | '::1') => (world: World) => {
    const any = loopback === '::1' ? '::' : '0.0.0.0';
    addVrf('red', 111, [loopback]);
    addVrf('blue', 112, [loopback]);
    for (const device of ['red', 'blue']) world.listen(any, SERVER_PORT, { device });
    world.listen(loopback, SERVER_PORT);
    times(10, (index) => world.listen(any, 40_010 + index, { device: 'red' }));
    times(5, (index) => world.listen(any, 40_050 + index));
    times(30, () => world.connect(loopback, SERVER_PORT, { device: 'red', ...PEER }));
    times(40, () => world.connect(loopback, SERVER_PORT, { device: 'blue', ...PEER }));
    times(20, () => world.connect(loopback));
  };
  const prepare = inEach('127.0.0.1');
  const bindsBoundTo = (device: string): Drive => ({
    ...bindsOn('127.0.0.1', device),
    call: (world) => world.bound('127.0.0.1', 0, device === '' ? {} : { device }),
  });

  it.each(['127.0.0.1', '::1'] as const)('block and hold ports of %s for themselves', async (loopback) => {
    const drives = ['red', 'blue', ''].map((device) => connectsBoundTo(device, loopback, PEER));
    expect(await expectExact({}, inEach(loopback), drives)).toEqual([60, 60, 75]);
  });

  it('count as blocked outside what is blocked there', async () => {
    prepare(newWorld());
    const exporter = await sampled();
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: 'listener' })).toBe(5);
    expect(exporter.value('port_connect_capacity_ports', { protocol: 'tcp' })).toBe(95);
    const connect = { protocol: 'tcp', scope: 'connect' };
    expect(exporter.value('port_exhaustion_available_ports', connect)).toBe(60);
  });

  it('block ports for themselves by bind() alone, and by bind() before connect()', async () => {
    const half = (world: World) => {
      addVrf('red', 111, ['127.0.0.1', '127.0.0.2']);
      world.listen('0.0.0.0', SERVER_PORT, { device: 'red' });
      world.listen('127.0.0.1', SERVER_PORT);
      times(10, () => hold(world, '127.0.0.1', 'red'));
      const from = { from: '127.0.0.1', device: 'red', ...PEER };
      times(10, () => world.connect('127.0.0.2', SERVER_PORT, from));
      times(15, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'red', ...PEER }));
      times(5, () => world.connect('127.0.0.1'));
    };
    const drives = ['red', ''].map((device) => connectsBoundTo(device, '127.0.0.1', PEER));
    expect(await expectExact({}, half, drives)).toEqual([65, 95]);
  });

  it('keep ports in TIME_WAIT for themselves', async () => {
    const closed = (world: World) => {
      addVrf('red', 111, ['127.0.0.1']);
      world.listen('127.0.0.1', SERVER_PORT, { device: 'red' });
      world.timeWait(10, '127.0.0.1', SERVER_PORT, { device: 'red' });
      world.listen('127.0.0.1', SERVER_PORT);
      world.connect('127.0.0.1');
    };
    const drives = ['red', ''].map((device) => connectsBoundTo(device, '127.0.0.1', PEER));
    expect(await expectExact({ twReuse: 0 }, closed, drives)).toEqual([90, 99]);
  });

  it('are those of the devices that belong to them', async () => {
    const slaves = async (world: World) => {
      await addTwinLinks();
      addVrf('red', 111, []);
      for (const device of ['va', 'vb'] as const) enslave(device, 'red');
      times(10, (index) => world.listen('0.0.0.0', 40_010 + index, { device: 'va' }));
      times(5, (index) => world.listen('0.0.0.0', 40_050 + index));
      // Bound to the VRF they meet one another alone, and bound to a device of it both.
      times(15, () => world.knock('10.0.0.2', SERVER_PORT, 'red'));
      times(30, () => world.knock('10.0.0.2', SERVER_PORT, 'va'));
      times(20, () => world.knock('10.0.0.2', SERVER_PORT, 'vb'));
      world.connect('127.0.0.1');
    };
    const drives = [
      ...(['va', 'vb', 'red'] as const).map((device) => knocksBoundTo(device, '10.0.0.2')),
      connects('127.0.0.1'),
    ];
    expect(await expectExact({}, slaves, drives)).toEqual([45, 55, 75, 94]);
  });

  it('share all ports where tcp_l3mdev_accept is on', async () => {
    const shared = (world: World) => {
      world.sysctl('net.ipv4.tcp_l3mdev_accept', '1');
      for (const [index, device] of ['red', 'blue'].entries()) addVrf(device, 111 + index, ['127.0.0.1']);
      // It takes the connections of every VRF, and its ends of them are bound to that.
      world.listen('0.0.0.0', SERVER_PORT);
      times(10, (index) => world.listen('0.0.0.0', 40_010 + index, { device: 'red' }));
      times(5, (index) => world.listen('0.0.0.0', 40_050 + index));
      // First: an answer to one in a VRF would go to an unbound one with the same port.
      times(20, () => world.connect('127.0.0.1'));
      times(30, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'red', ...PEER }));
      times(40, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'blue', ...PEER }));
    };
    const drives = ['red', 'blue', ''].map((device) => connectsBoundTo(device, '127.0.0.1', PEER));
    expect(await expectExact({}, shared, drives)).toEqual([35, 25, 65]);

    shared(newWorld());
    const exporter = await sampled();
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: 'listener' })).toBe(15);
  });

  it('have local addresses of their own', async () => {
    const [red = 0, blue = 0, none = 0] = await expectExact(
      {},
      prepare,
      ['red', 'blue', ''].map(bindsBoundTo),
    );
    expect([red, blue, none].every((left) => left > 40)).toBe(true);
  });
});
