import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Where to connect or listen. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Listens, and holds every connection that comes. */
export async function listen(place: Place): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen({ ...place, backlog: 4096 });
  await once(server, 'listening');
}

/** Connects and holds the connection. @param localAddress binds first where given */
async function hold(place: Place, localAddress?: string): Promise<void> {
  const socket = connect({ ...place, ...(localAddress === undefined ? {} : { localAddress }) });
  await once(socket, 'connect');
  socket.on('error', () => {});
}

/** `count` connections to each, some at a time. */
export async function holdAll(places: readonly Place[], countOf: (nth: number) => number): Promise<void> {
  for (const [nth, place] of places.entries()) {
    for (let left = countOf(nth); left > 0; left -= 100) {
      await Promise.all(Array.from({ length: Math.min(left, 100) }, () => hold(place)));
    }
  }
}

/** One datagram from each of `ports` of `from` to each place: as many flows for conntrack as there are pairs. */
export async function send(from: string, ports: readonly number[], places: readonly Place[]): Promise<void> {
  for (const port of ports) {
    const socket = createSocket('udp4').on('error', () => {});
    socket.bind(port, from);
    await once(socket, 'listening');
    await Promise.all(
      places.map(
        ({ host, port }) => new Promise<void>((resolve) => socket.send('x', port, host, () => resolve())),
      ),
    );
    socket.close();
  }
}
