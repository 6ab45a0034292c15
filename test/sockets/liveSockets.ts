import { execFileSync } from 'node:child_process';
import { createSocket, type Socket as Datagram, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';

export const HAS_IPV6 = hasLoopback6();

/** Real sockets of this process on loopback, of every kind that a source can show. */
export class LiveSockets {
  /** Ports of this process: whatever else the machine does is none of a test's business. */
  readonly ports = new Set<number>();
  readonly #servers = new Map<number, Server>();
  readonly #connections: Socket[] = [];
  readonly #datagrams: Datagram[] = [];

  async listen(options: ListenOptions): Promise<number> {
    const server = createServer((accepted) => this.#keep(accepted));
    server.listen({ port: 0, ...options });
    await once(server, 'listening');
    const port = this.#remember(server.address());
    this.#servers.set(port, server);
    return port;
  }

  /** A connection to one of the listeners, accepted there. */
  async connect(port: number, host: string): Promise<Socket> {
    const server = this.#servers.get(port);
    if (server === undefined) throw new Error(`nothing listens on port ${port}`);
    const socket = this.#keep(connect(port, host));
    await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
    this.#remember(socket.address());
    return socket;
  }

  /** A connection whose first closer is the client: its port stays in TIME_WAIT. */
  async leaveTimeWait(port: number, host: string): Promise<void> {
    const socket = await this.connect(port, host);
    socket.resume().end();
    await once(socket, 'close');
  }

  async udp(type: SocketType, host: string, ipv6Only = false): Promise<Datagram> {
    const socket = createSocket({ type, ipv6Only });
    this.#datagrams.push(socket);
    socket.bind(0, host);
    await once(socket, 'listening');
    this.#remember(socket.address());
    return socket;
  }

  async connectedUdp(type: SocketType, host: string, port: number): Promise<Datagram> {
    const socket = createSocket(type);
    this.#datagrams.push(socket);
    socket.connect(port, host);
    await once(socket, 'connect');
    this.#remember(socket.address());
    return socket;
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    for (const connection of this.#connections) connection.destroy();
    for (const datagram of this.#datagrams) datagram.close();
  }

  #keep(socket: Socket): Socket {
    this.#connections.push(socket);
    socket.on('error', () => {});
    return socket;
  }

  #remember(address: ReturnType<Server['address']> | object): number {
    if (address === null || typeof address === 'string' || !('port' in address)) throw new Error('no port');
    const port = Number(address.port);
    this.ports.add(port);
    return port;
  }
}

/** Runs in another process while this one stands still, so that nothing is accepted or read in the meantime. */
export function bash(script: string): void {
  execFileSync('bash', ['-c', script]);
}

function hasLoopback6(): boolean {
  try {
    // In no order: on some machines another device's address comes first.
    return /^0{31}1 /m.test(readFileSync('/proc/net/if_inet6', 'latin1'));
  } catch {
    return false;
  }
}
