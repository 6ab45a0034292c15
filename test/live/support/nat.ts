import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { sleepMs } from './kernel.ts';
import { NamedNamespace } from './namedNamespace.ts';
import * as posix from './posix.ts';
import { TrackedEntries } from './trackedEntries.ts';

export type NatFamily = 'ipv4' | 'ipv6';

/** Of either family: whoever connects, the router's addresses on both sides, and who is connected to. */
export const ADDRESSES = {
  ipv4: { client: '10.91.1.2', gateway: '10.91.1.1', nat: '10.91.2.1', server: '10.91.2.2' },
  ipv6: { client: 'fd91:1::2', gateway: 'fd91:1::1', nat: 'fd91:2::1', server: 'fd91:2::2' },
} as const;

export const SERVER_PORT = 8053;
/** The router forwards it to the server's SERVER_PORT. */
export const FORWARDED_PORT = 8099;

export interface NatSetup {
  readonly family: NatFamily;
  /** Without them the rule has no range of ports. */
  readonly first?: number;
  readonly last?: number;
  /** `random`, `fully-random` or none. */
  readonly flag?: string;
  /** Whether what the router itself sends meets the rule too. */
  readonly isOwnTranslated?: boolean;
}

/** Whom a client connects to, if it is not the server itself. */
interface Towards {
  readonly port?: number;
  readonly to?: string;
}

/** Why no NAT can be made here; undefined where one can. */
export function natRefusal(): string | undefined {
  try {
    const namespace = new NamedNamespace();
    try {
      nft(namespace, ruleset({ family: 'ipv4', first: 2000, last: 2006 }));
      return undefined;
    } finally {
      namespace.close();
    }
  } catch (error) {
    return `no NAT by nftables: ${error}`;
  }
}

/** A client, a router that translates what leaves it towards a server, and that server. Ends with the test. */
export class Nat {
  readonly client = new NamedNamespace({ range: [32_768, 60_999] });
  readonly router = new NamedNamespace();
  readonly server = new NamedNamespace();
  readonly addresses: (typeof ADDRESSES)[NatFamily];
  readonly #servers: Readonly<Record<posix.Type, number>>;
  /** The router's. */
  readonly tracked: TrackedEntries;
  readonly #open: number[] = [];

  constructor(setup: NatSetup) {
    this.addresses = ADDRESSES[setup.family];
    const { client, gateway, nat, server } = this.addresses;
    connectNamespaces(this.client, 'link0', client, this.router, 'inner', gateway, setup.family);
    connectNamespaces(this.server, 'link0', server, this.router, 'outer', nat, setup.family);
    this.router.inside(() => {
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
      writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
    });
    const flag = setup.family === 'ipv4' ? '-4' : '-6';
    ip(flag, '-n', this.client.name, 'route', 'add', 'default', 'via', gateway);
    ip(flag, '-n', this.server.name, 'route', 'add', 'default', 'via', nat);
    nft(this.router, ruleset(setup));
    this.tracked = this.router.inside(() => new TrackedEntries());
    this.#servers = this.server.inside(() => ({ tcp: this.#listen('tcp'), udp: this.#listen('udp') }));
    this.#meetNeighbours();
  }

  /** New flows from the client → how many reached the server. */
  connect(type: posix.Type, flows: number, towards: Towards = {}): number {
    const { port = SERVER_PORT, to = this.addresses.server } = towards;
    this.client.inside(() => {
      for (let flow = 0; flow < flows; flow++) this.#send(type, to, port);
    });
    return this.#arrived(type);
  }

  /** Flows of the router itself, from its NAT address and these ports → how many reached the server. */
  connectFromRouter(type: posix.Type, ports: readonly number[]): number {
    this.router.inside(() => {
      for (const from of ports) this.#send(type, this.addresses.server, SERVER_PORT, from);
    });
    return this.#arrived(type);
  }

  /** Ends every connection, the clients first: conntrack has them in TIME_WAIT then. */
  endConnections(): void {
    for (const fd of this.#open.splice(0)) posix.close(fd);
    sleepMs(100);
  }

  /** A datagram of the server to that port of the NAT address. */
  sendInbound(to: number): void {
    posix.sendTo(this.#servers.udp, this.addresses.nat, to);
    sleepMs(1);
  }

  /** Sends a datagram from that port of the client, and forgets its entry → whether there was one. */
  probe(fd: number, from: number): boolean {
    const { client: source, server: destination } = this.addresses;
    posix.sendTo(fd, destination, SERVER_PORT);
    const original = { source, destination, sourcePort: from, destinationPort: SERVER_PORT };
    return this.tracked.delete({ original, reply: original, protocol: 17 });
  }

  /** A socket of the client. */
  openProbe(from: number): number {
    return this.client.inside(() => {
      const fd = posix.socketFor(this.addresses.client, 'udp');
      this.#open.push(fd);
      posix.bind(fd, this.addresses.client, from);
      return fd;
    });
  }

  close(): void {
    this.tracked.close();
    for (const fd of [...this.#open, ...Object.values(this.#servers)]) posix.abort(fd);
    for (const namespace of [this.client, this.router, this.server]) namespace.close();
  }

  #send(type: posix.Type, to: string, port: number, from?: number): void {
    const fd = posix.socketFor(to, type, { nonBlocking: true });
    this.#open.push(fd);
    if (from !== undefined) posix.bind(fd, this.addresses.nat, from);
    if (type === 'tcp') posix.startConnecting(fd, to, port);
    else sendUnlessRefused(fd, to, port);
  }

  #listen(type: posix.Type): number {
    const { server } = this.addresses;
    const fd = posix.socketFor(server, type, { nonBlocking: true });
    posix.bind(fd, server, SERVER_PORT);
    if (type === 'tcp') posix.listen(fd);
    return fd;
  }

  /** Packets take some time, and refused ones never come: until none came for a while. */
  #arrived(type: posix.Type): number {
    let count = 0;
    for (let quiet = 0; quiet < 6; quiet++) {
      while (this.#take(type)) {
        count++;
        quiet = 0;
      }
      sleepMs(5);
    }
    return count;
  }

  #take(type: posix.Type): boolean {
    if (type === 'udp') return posix.receive(this.#servers.udp);
    try {
      this.#open.push(posix.accept(this.#servers.tcp));
      return true;
    } catch (error) {
      if (error instanceof posix.PosixError && error.code === 'EAGAIN') return false;
      throw error;
    }
  }

  /** Packets that wait for the address of a neighbour would come later than they are counted. */
  #meetNeighbours(): void {
    for (let tries = 0; tries < 100; tries++) {
      if (this.connect('udp', 1) > 0) break;
      sleepMs(20);
    }
    this.router.inside(() => writeFileSync('/proc/sys/net/netfilter/nf_conntrack_udp_timeout', '600'));
    this.flush();
  }

  /** Forgets every entry. */
  flush(): void {
    this.tracked.deleteAll();
  }
}

/** Where the host itself finds no port, it is told. */
function sendUnlessRefused(fd: number, to: string, port: number): void {
  try {
    posix.sendTo(fd, to, port);
  } catch (error) {
    if (!(error instanceof posix.PosixError) || error.code !== 'EPERM') throw error;
  }
}

function connectNamespaces(
  one: NamedNamespace,
  device: string,
  address: string,
  router: NamedNamespace,
  routerDevice: string,
  routerAddress: string,
  family: NatFamily,
): void {
  ip(
    'link',
    'add',
    device,
    'netns',
    one.name,
    'type',
    'veth',
    'peer',
    'name',
    routerDevice,
    'netns',
    router.name,
  );
  const rest = family === 'ipv4' ? ['/24'] : ['/64', 'nodad'];
  for (const [{ name }, at, own] of [
    [one, device, address],
    [router, routerDevice, routerAddress],
  ] as const) {
    const [prefix = '', ...nodad] = rest;
    ip('-n', name, 'address', 'add', `${own}${prefix}`, 'dev', at, ...nodad);
    ip('-n', name, 'link', 'set', at, 'up');
  }
}

function ruleset({ family, first, last, flag = '', isOwnTranslated = false }: NatSetup): string {
  const [table, address] = family === 'ipv4' ? ['ip', ADDRESSES.ipv4] : ['ip6', ADDRESSES.ipv6];
  const host = table === 'ip' ? '' : '[';
  const nat = host === '' ? address.nat : `[${address.nat}]`;
  const server = host === '' ? address.server : `[${address.server}]`;
  const whose = isOwnTranslated ? '' : `${table} saddr ${address.client}`;
  const range = first === undefined ? '' : `:${first}-${last}`;
  const rule = (protocol: string) =>
    `oifname "outer" ${whose} meta l4proto ${protocol} snat to ${nat}${range} ${flag}`;
  return `table ${table} nat {
  chain before {
    type nat hook prerouting priority -100;
    meta l4proto { tcp, udp } th dport ${FORWARDED_PORT} dnat to ${server}:${SERVER_PORT}
  }
  chain after {
    type nat hook postrouting priority 100;
    ${rule('tcp')}
    ${rule('udp')}
  }
}
`;
}

function nft({ name }: NamedNamespace, rules: string): void {
  execFileSync('ip', ['netns', 'exec', name, 'nft', '-f', '-'], {
    input: rules,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
