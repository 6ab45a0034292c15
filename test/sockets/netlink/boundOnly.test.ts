import { constants, release } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../../src/base/errors.ts';
import { AF_INET, AF_NETLINK, type Libc } from '../../../src/kernel/libc.ts';
import { releaseAtLeast } from '../../../src/kernel/release.ts';
import { openNetlinkSource } from '../../../src/sockets/netlink/source.ts';
import { type Arrival, datagram, done, FakeNetlink, refusal } from '../../kernel/fakeNetlink.ts';
import { encodeSocket } from './encode.ts';

const { EADDRINUSE, ENOENT, EPERM } = constants.errno;

describe('whether a dump shows bound-only sockets is tried once, at the start', () => {
  it('yes, where the one just bound is in it', () => {
    const libc = new FakeLibc((port) => [bound('127.83.68.13', port)]);
    expect(openNetlinkSource(libc).sees.boundOnly).toBe(true);
  });

  it('no, where it is not: before Linux 6.8 nothing comes', () => {
    expect(openNetlinkSource(new FakeLibc(() => [])).sees.boundOnly).toBe(false);
  });

  it('no, where only those of others come', () => {
    const libc = new FakeLibc((port) => [bound('127.83.68.13', port + 1), bound('127.0.0.1', port)]);
    expect(openNetlinkSource(libc).sees.boundOnly).toBe(false);
  });

  it('on the next port where one is taken', () => {
    const libc = new FakeLibc((port) => [bound('127.83.68.13', port)], [1031, 1032]);
    expect(openNetlinkSource(libc).sees.boundOnly).toBe(true);
    expect(libc.boundPort).toBe(1033);
  });

  it('and leaves no socket behind but the netlink one', () => {
    const libc = new FakeLibc(() => []);
    const source = openNetlinkSource(libc);
    expect(libc.open.size).toBe(1);
    source.close();
    expect(libc.open.size).toBe(0);
  });

  const ours = releaseAtLeast(release(), 6, 8);
  const nowhere = Array.from({ length: 16 }, (_, index) => 1031 + index);

  it('where no address can be bound, the version of the kernel decides', () => {
    expect(openNetlinkSource(new FakeLibc(() => [], nowhere)).sees.boundOnly).toBe(ours);
  });

  it('where a sandbox permits no TCP socket, too', () => {
    const libc = new FakeLibc(() => []);
    libc.refusedFamily = AF_INET;
    expect(openNetlinkSource(libc).sees.boundOnly).toBe(ours);
    expect(libc.open.size).toBe(1);
  });

  it('but a dump that is refused is noticed there as well', () => {
    expect(() => openNetlinkSource(new FakeLibc(() => ENOENT, nowhere))).toThrow(ExporterError);
  });

  it('and a defect leaves no socket behind', () => {
    const libc = new FakeLibc(() => []);
    const defect = new TypeError('a defect');
    libc.bind = () => {
      throw defect;
    };
    expect(() => openNetlinkSource(libc)).toThrow(defect);
    expect(libc.open.size).toBe(0);
  });

  it.each([
    ['a missing tcp_diag module', ENOENT, 'ENOENT'],
    ['a dump that is not permitted', EPERM, 'EPERM'],
  ])('%s refuses the source, and leaves no socket behind', (_, errno, code) => {
    const libc = new FakeLibc(() => errno);
    const thrown = caught(() => openNetlinkSource(libc));
    expect(thrown).toBeInstanceOf(ExporterError);
    expect(errorLine(thrown)).toMatch(
      new RegExp(`^dump of bound TCP sockets: the kernel answered: .+ \\(${code}\\)$`),
    );
    expect(libc.open.size).toBe(0);
  });

  it('names the netlink socket that is refused', () => {
    const libc = new FakeLibc(() => []);
    libc.refusedFamily = AF_NETLINK;
    expect(errorLine(caught(() => openNetlinkSource(libc)))).toBe(
      'opening a netlink socket (NETLINK_SOCK_DIAG): socket(): operation not permitted (EPERM)',
    );
  });
});

/** A C library whose one netlink socket is a fake kernel; `dump` says which sockets it shows, or refuses with an errno. */
class FakeLibc implements Libc {
  boundPort = 0;
  refusedFamily = 0;
  readonly open = new Set<number>();
  readonly #kernel: FakeNetlink;
  readonly #taken: readonly number[];
  #lastFd = 2;

  constructor(dump: (boundPort: number) => Uint8Array[] | number, taken: readonly number[] = []) {
    this.#taken = taken;
    this.#kernel = new FakeNetlink(({ sequence }): Arrival[] => {
      const shown = dump(this.boundPort);
      if (typeof shown === 'number') return [datagram(refusal(sequence, shown))];
      return [datagram(...shown.map((payload) => ({ type: 18, sequence, payload })), done(sequence))];
    });
  }

  socket(family: number): number {
    if (family === this.refusedFamily) throw new KernelError('socket()', EPERM);
    this.open.add(++this.#lastFd);
    return this.#lastFd;
  }

  connect(): never {
    throw new Error('unexpected connect()');
  }

  bind(_fd: number, address: Uint8Array): void {
    const port = new DataView(address.buffer).getUint16(2);
    if (this.#taken.includes(port)) throw new KernelError('bind()', EADDRINUSE);
    this.boundPort = port;
  }

  setsockopt(): void {}

  setns(): void {}
  sendto(): number {
    return 0;
  }
  send(_fd: number, bytes: Uint8Array): number {
    this.#kernel.send(bytes);
    return bytes.length;
  }

  recv(_fd: number, into: Uint8Array): number {
    return this.#kernel.receive(into);
  }

  close(fd: number): void {
    this.open.delete(fd);
  }
}

function bound(local: string, localPort: number): Uint8Array {
  return encodeSocket({ family: 'ipv4', state: 7, local, localPort });
}

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
}
