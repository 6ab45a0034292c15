import { expect, it } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { describeLive } from '../live/support/privilege.ts';
import { untilRefused } from '../live/support/world.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingNobody, NOBODY } from './support/needs.ts';
import { Daemon, type How } from './support/program.ts';

describeLive('in a network namespace of its own, what is scraped is what the kernel gives', () => {
  async function expectExact(how: How): Promise<void> {
    const world = newWorld({ range: [40000, 40049] });
    // In the range, and so for nobody to connect from.
    world.listen('127.0.0.1', 40010);
    world.listen('::', 40011);
    times(12, () => world.connect('127.0.0.2'));
    times(7, () => world.connect('127.0.0.3'));
    times(5, () => world.connectUdp('127.0.0.1'));
    const daemon = await Daemon.started(['--web.listen-address=127.0.0.1:10069'], how);
    const series = parseExposition((await daemon.get('/metrics')).text);
    await daemon.end();

    const netns = new Set(series.map(({ labels }) => labels['netns']).filter((name) => name !== undefined));
    expect([...netns]).toEqual([expect.stringMatching(/^net:\[\d+\]$/)]);
    const value = (name: string, labels: Record<string, string>) =>
      series.find(
        (one) =>
          one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text),
      )?.value;
    const promised = {
      towards2: value('port_destination_available_ports', { remote_address: '127.0.0.2' }),
      towards4: value('port_connect_capacity_ports', { protocol: 'tcp' }),
      worst: value('port_exhaustion_available_ports', { protocol: 'tcp', scope: 'connect' }),
      udp: value('port_exhaustion_available_ports', { protocol: 'udp', scope: 'connect' }),
    };
    const given = {
      towards2: untilRefused(() => world.connect('127.0.0.2')),
      towards4: untilRefused(() => world.connect('127.0.0.4')),
      udp: untilRefused(() => world.connectUdp('127.0.0.1')),
    };
    expect(given).toEqual({
      towards2: { succeeded: 36, error: 'EADDRNOTAVAIL' },
      towards4: { succeeded: 48, error: 'EADDRNOTAVAIL' },
      udp: { succeeded: 45, error: 'EAGAIN' },
    });
    expect(promised).toEqual({ towards2: 36, towards4: 48, worst: 36, udp: 45 });
  }

  it('for root', () => expectExact({}));

  itNeeding(missingNobody, 'for a user without any privilege', () => expectExact({ uid: NOBODY }));
});
