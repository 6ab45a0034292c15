import { World } from '../live/support/world.ts';

/**
 * A namespace with a little of everything in which kernels differ, or could: listeners and their queues, one full; many
 * connections to one destination; native and mapped IPv6; sockets that did bind() first, with and without a port, or
 * nothing else; UDP; TIME_WAIT.
 */
export function mixedWorld(): World {
  const world = new World({ range: [40000, 40099], reserved: '40090-40094' });
  const each = (count: number, open: (index: number) => unknown) => {
    for (let index = 0; index < count; index++) open(index);
  };

  world.listen('0.0.0.0', 40080);
  world.listen('::', 8002);
  world.listen('::', 8003, { v6only: true });
  each(2, () => world.listen('127.0.0.1', 8004, { reusePort: true }));
  // Ports asked for by number, while nobody else can have been given them.
  world.bound('0.0.0.0', 40085);
  world.bound('127.0.0.1', 8009);
  each(2, (index) => world.connect('127.0.0.1', 8001, { from: '127.0.0.10', port: 40070 + index }));
  each(2, (index) => world.bound('127.0.0.1', 40060 + index, { type: 'udp' }));

  each(16, () => world.connect('127.0.0.1'));
  each(10, () => world.accept('127.0.0.1'));
  each(4, () => world.connect('::ffff:127.0.0.1'));
  each(6, () => world.connect('::1'));
  each(3, () => world.accept('::1'));
  each(3, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.9' }));
  each(3, () => world.connect('127.0.0.1', 8001, { from: '127.0.0.9', noPort: true }));

  // One more than the backlog is let in, and those after it wait for an answer to their SYN.
  world.listen('127.0.0.2', 8005, { backlog: 1 });
  each(2, () => world.connect('127.0.0.2', 8005));
  each(2, () => world.knock('127.0.0.2', 8005));

  each(3, () => world.bound('127.0.0.1'));
  world.bound('::ffff:127.0.0.5');
  world.bound('::', 0, { v6only: true });

  world.bound('::', 0, { type: 'udp' });
  world.bound('0.0.0.0', 5353, { type: 'udp' });
  each(3, () => world.connectUdp('127.0.0.1'));
  world.connectUdp('::1');
  world.connectUdp('::ffff:127.0.0.1');
  world.sendUdp('127.0.0.1', 40060);

  world.timeWait(5, '127.0.0.3');
  return world;
}
