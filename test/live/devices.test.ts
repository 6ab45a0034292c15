import { describe, expect, it } from 'vitest';
import { connects, type Drive, expectExact, newWorld, times } from './support/exact.ts';
import { sampled } from './support/exporter.ts';
import { addTwinLinks, addVrf, LINKS, vrfRefusal } from './support/links.ts';
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
function knocksBoundTo(device: Device, to: string): Drive {
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
      times(50, () => world.bound(`fe80::1%${LINKS.va}`));
      times(60, () => world.bound(`fe80::1%${LINKS.vb}`));
    };
    const drives = [bindsOn(`fe80::1%${LINKS.va}`, 'va'), bindsOn(`fe80::1%${LINKS.vb}`, 'vb')];
    const [va, vb] = await expectExact({}, prepare, drives);
    expect([va, vb]).toEqual([45, 40]);
  });

  it('to another address meets those of every device, where the socket is bound to none', async () => {
    const prepare = async (world: World) => {
      await addTwinLinks();
      times(20, () => world.bound('10.0.0.1', 0, { device: 'va' }));
      times(15, () => world.knock('10.0.0.2', SERVER_PORT, 'vb'));
    };
    const [left = 0] = await expectExact({}, prepare, [bindsOn('10.0.0.1', '')]);
    expect(left).toBeLessThanOrEqual(80);
  });
});

const NO_VRF = vrfRefusal();

describe.skipIf(NO_VRF !== undefined)(`VRFs${NO_VRF === undefined ? '' : ` (none here: ${NO_VRF})`}`, () => {
  const prepare = (world: World) => {
    addVrf(world, 'red', 111, '127.0.0.1');
    addVrf(world, 'blue', 112, '127.0.0.1');
    for (const device of ['red', 'blue']) world.listen('0.0.0.0', SERVER_PORT, { device });
    world.listen('127.0.0.1', SERVER_PORT);
    times(10, (index) => world.listen('0.0.0.0', 40_010 + index, { device: 'red' }));
    times(5, (index) => world.listen('0.0.0.0', 40_050 + index));
    times(30, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'red', ...PEER }));
    times(40, () => world.connect('127.0.0.1', SERVER_PORT, { device: 'blue', ...PEER }));
    times(20, () => world.connect('127.0.0.1'));
  };

  it('block and hold ports for themselves', async () => {
    const drives = ['red', 'blue', ''].map((device) => connectsBoundTo(device, '127.0.0.1', PEER));
    expect(await expectExact({}, prepare, drives)).toEqual([60, 60, 75]);
  });

  it('share them all where tcp_l3mdev_accept is on', async () => {
    const shared = (world: World) => {
      prepare(world);
      world.sysctl('net.ipv4.tcp_l3mdev_accept', '1');
    };
    const world = newWorld();
    shared(world);
    const exporter = await sampled();
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: 'listener' })).toBe(15);
  });

  it('have local addresses of their own', async () => {
    const bound = (device: string): Drive => ({
      ...bindsOn('127.0.0.1', device),
      call: (world) => world.bound('127.0.0.1', 0, device === '' ? {} : { device }),
    });
    const [red = 0, blue = 0, none = 0] = await expectExact({}, prepare, ['red', 'blue', ''].map(bound));
    expect([red, blue, none].every((left) => left > 40)).toBe(true);
  });
});
