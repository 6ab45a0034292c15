import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import * as posix from './posix.ts';

/** Where servers listen: below every range used here, so that listening there blocks nothing. */
export const SERVER_PORT = 8001;

export interface WorldSetup {
  /** `net.ipv4.ip_local_port_range`. */
  readonly range?: readonly [number, number];
  /** `net.ipv4.ip_local_reserved_ports`. */
  readonly reserved?: string;
  /** `net.ipv4.tcp_tw_reuse`. */
  readonly twReuse?: 0 | 1 | 2;
  /** Brings this thread into the namespace → what brings it back; by default into a fresh one. */
  readonly enter?: () => () => void;
}

/** How a client socket is made. */
export interface Client {
  /** bind() to this address and port 0 first. */
  readonly from?: string;
  /** With IP_BIND_ADDRESS_NO_PORT set before that bind(). */
  readonly noPort?: boolean;
  /** bind() to this very port. */
  readonly port?: number;
  /** With SO_REUSEADDR. */
  readonly reuseAddress?: boolean;
  /** With SO_REUSEPORT. */
  readonly reusePort?: boolean;
  /** IP_LOCAL_PORT_RANGE. */
  readonly portRange?: readonly [number, number];
  /** SO_BINDTODEVICE. */
  readonly device?: string;
  /** Somebody listens there already, in another namespace maybe. */
  readonly served?: boolean;
}

/** How a server socket is made. */
export interface Server {
  readonly v6only?: boolean;
  readonly backlog?: number;
  /** With SO_REUSEPORT. */
  readonly reusePort?: boolean;
  /** accept() is refused with EAGAIN where no connection waits. */
  readonly nonBlocking?: boolean;
  /** SO_BINDTODEVICE. */
  readonly device?: string;
}

/**
 * A network namespace of its own with a small ephemeral range, in which sockets are opened by real system calls on this
 * thread. Everything ends with `close()`.
 */
export class World {
  readonly #leave: () => void;
  readonly #open = new Set<number>();
  readonly #servers = new Map<string, number>();

  constructor({
    range = [40000, 40099],
    reserved = '',
    twReuse,
    enter = posix.enterFreshNamespace,
  }: WorldSetup = {}) {
    this.#leave = enter();
    this.sysctl('net.ipv4.ip_local_port_range', range.join(' '));
    this.sysctl('net.ipv4.ip_local_reserved_ports', reserved);
    if (twReuse !== undefined) this.sysctl('net.ipv4.tcp_tw_reuse', String(twReuse));
  }

  close(): void {
    for (const fd of this.#open) posix.close(fd);
    this.#leave();
  }

  readSysctl(name: string): string {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  }

  sysctl(name: string, value: string): void {
    writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, `${value}\n`);
  }

  /** Gives lo one more IPv6 address; all of 127.0.0.0/8 is there already. */
  addIpv6(address: string): void {
    execFileSync('ip', ['-6', 'address', 'add', `${address}/128`, 'dev', 'lo', 'nodad']);
  }

  listen(
    address: string,
    port: number,
    { v6only = false, backlog = 4096, reusePort = false, nonBlocking = false, device = '' }: Server = {},
  ): number {
    const fd = this.#socket(address, 'tcp', { nonBlocking });
    try {
      posix.setReuseAddress(fd);
      if (device !== '') posix.setDevice(fd, device);
      if (reusePort) posix.setReusePort(fd);
      if (v6only) posix.setIpv6Only(fd);
      posix.bind(fd, address, port);
      posix.listen(fd, backlog);
    } catch (error) {
      this.end(fd);
      throw error;
    }
    this.#servers.set(`${address} ${port}`, fd);
    return fd;
  }

  /** A socket that does bind() and nothing else; `port` 0 is the kernel's choice. */
  bound(
    address: string,
    port = 0,
    {
      type = 'tcp' as posix.Type,
      v6only = false,
      reuseAddress = false,
      reusePort = false,
      portRange = undefined as Client['portRange'],
      device = '',
    } = {},
  ): number {
    const fd = this.#socket(address, type);
    try {
      if (device !== '') posix.setDevice(fd, device);
      if (reuseAddress) posix.setReuseAddress(fd);
      if (portRange !== undefined) posix.setLocalPortRange(fd, ...portRange);
      if (reusePort) posix.setReusePort(fd);
      if (v6only) posix.setIpv6Only(fd);
      posix.bind(fd, address, port);
    } catch (error) {
      this.end(fd);
      throw error;
    }
    return fd;
  }

  /** A TCP connection to a server that is listening; starts one there if there is none. */
  connect(to: string, port = SERVER_PORT, client: Client = {}): number {
    if (!client.served && this.#serverOf(to, port) === undefined) this.listen(unmapped(to), port);
    const fd = this.#socket(to, 'tcp');
    try {
      if (client.device !== undefined) posix.setDevice(fd, client.device);
      if (client.reuseAddress) posix.setReuseAddress(fd);
      if (client.reusePort) posix.setReusePort(fd);
      if (client.portRange !== undefined) posix.setLocalPortRange(fd, ...client.portRange);
      if (client.noPort) posix.setBindAddressNoPort(fd);
      if (client.from !== undefined) posix.bind(fd, client.from, client.port ?? 0);
      posix.connect(fd, to, port);
    } catch (error) {
      this.end(fd);
      throw error;
    }
    return fd;
  }

  /** A connect() that does not wait for an answer: nobody may be there to give one. */
  knock(to: string, port = SERVER_PORT, device = ''): number {
    const fd = this.#socket(to, 'tcp', { nonBlocking: true });
    try {
      if (device !== '') posix.setDevice(fd, device);
      posix.startConnecting(fd, to, port);
    } catch (error) {
      this.end(fd);
      throw error;
    }
    return fd;
  }

  /** A UDP socket that is connected, to a port where nobody needs to be. */
  connectUdp(to: string, port = 9): number {
    const fd = this.#socket(to, 'udp');
    try {
      posix.connect(fd, to, port);
    } catch (error) {
      this.end(fd);
      throw error;
    }
    return fd;
  }

  /** A UDP socket that sent a datagram without bind() or connect(). */
  sendUdp(to: string, port = 9): number {
    const fd = this.#socket(to, 'udp');
    posix.sendTo(fd, to, port);
    return fd;
  }

  /** The server's end of its oldest connection that nobody accepted yet. */
  accept(to: string, port = SERVER_PORT): number {
    const server = this.#serverOf(to, port);
    if (server === undefined) throw new Error(`nobody listens on ${to} ${port}`);
    const fd = posix.accept(server);
    this.#open.add(fd);
    return fd;
  }

  /** Whatever waits for this non-blocking listener, at most so many. */
  acceptWaiting(server: number, atMost = Number.POSITIVE_INFINITY): number[] {
    const accepted: number[] = [];
    while (accepted.length < atMost) {
      try {
        const fd = posix.accept(server);
        this.#open.add(fd);
        accepted.push(fd);
      } catch (error) {
        if (!(error instanceof posix.PosixError) || error.code !== 'EAGAIN') throw error;
        break;
      }
    }
    return accepted;
  }

  /** `count` connections that the client closed first: its ends are in TIME_WAIT. */
  timeWait(count: number, to: string, port = SERVER_PORT, client: Client = {}): void {
    // On a slow machine the first ones would be old enough for the last ones to take them over.
    const reuse = this.readSysctl('net.ipv4.tcp_tw_reuse');
    this.sysctl('net.ipv4.tcp_tw_reuse', '0');
    try {
      for (let i = 0; i < count; i++) {
        const near = this.connect(to, port, client);
        const far = this.accept(to, port);
        this.end(near);
        this.end(far);
      }
    } finally {
      this.sysctl('net.ipv4.tcp_tw_reuse', reuse);
    }
  }

  end(fd: number): void {
    posix.close(fd);
    this.#open.delete(fd);
  }

  /** Closes with a reset: nothing is left of the connection. */
  abort(fd: number): void {
    posix.abort(fd);
    this.#open.delete(fd);
  }

  #socket(address: string, type: posix.Type, options: { nonBlocking?: boolean } = {}): number {
    const fd = posix.socketFor(address, type, options);
    this.#open.add(fd);
    return fd;
  }

  #serverOf(to: string, port: number): number | undefined {
    const address = unmapped(to);
    const candidates = address.includes(':') ? [address, '::'] : [address, '0.0.0.0', '::'];
    return candidates
      .map((candidate) => this.#servers.get(`${candidate} ${port}`))
      .find((fd) => fd !== undefined);
  }
}

/** `::ffff:127.0.0.1` is served by who listens on 127.0.0.1. */
function unmapped(address: string): string {
  return address.replace(/^::ffff:/, '');
}

/** Repeats a call until it is refused → how often it succeeded, and with which error it ended. */
export function untilRefused(call: () => unknown, atMost = 2000): { succeeded: number; error: string } {
  for (let succeeded = 0; succeeded < atMost; succeeded++) {
    try {
      call();
    } catch (error) {
      if (!(error instanceof posix.PosixError)) throw error;
      return { succeeded, error: error.code };
    }
  }
  throw new Error(`not refused after ${atMost} calls`);
}
