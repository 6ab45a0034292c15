import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../../src/base/errors.ts';
import { Links } from '../../../src/kernel/links.ts';
import { NetlinkSource } from '../../../src/sockets/netlink/source.ts';
import { TcpState } from '../../../src/sockets/record.ts';
import {
  type Arrival,
  datagram,
  done,
  FakeNetlink,
  type Request,
  refusal,
} from '../../kernel/fakeNetlink.ts';
import { collect } from '../records.ts';
import { encodeSocket } from './encode.ts';

const { ENOENT, EMFILE } = constants.errno;
const NO_LINKS = new Links(() => {
  throw new KernelError('socket()', EMFILE);
});
const TCP_ROW = encodeSocket({ family: 'ipv4', state: 1, local: '10.0.0.1', localPort: 40_000 });

describe('the dumps', () => {
  it('of TCP are two legacy requests: LISTEN with its memory, then every other state with nothing', () => {
    const { kernels, source } = sourceOf(({ sequence }) => [datagram(done(sequence))]);
    source.tcpListeners(() => {});
    source.tcpConnections(() => {});
    expect(kernels[0]?.requests.map(legacy)).toEqual([
      { type: 18, bytes: 60, ext: 1 << 6, states: 1 << TcpState.LISTEN },
      { type: 18, bytes: 60, ext: 0, states: (0xffffffff & ~(1 << TcpState.LISTEN)) >>> 0 },
    ]);
  });

  it('of bound-only sockets ask for bit 13 alone', () => {
    const { kernels, source } = sourceOf(({ sequence }) => [datagram(done(sequence))]);
    source.tcpBoundOnly(() => {});
    expect(kernels[0]?.requests.map(legacy)).toEqual([{ type: 18, bytes: 60, ext: 0, states: 1 << 13 }]);
  });

  it('of UDP are one request a family, every state, with memory', () => {
    const { kernels, source } = sourceOf(({ sequence }) => [datagram(done(sequence))]);
    source.udp(() => {});
    const every = { type: 20, bytes: 56, protocol: 17, ext: 1 << 6, states: 0xffffffff };
    expect(kernels[0]?.requests.map(v2)).toEqual([
      { ...every, family: 2 },
      { ...every, family: 10 },
    ]);
  });

  it('hand over every socket, decoded', () => {
    const { source } = sourceOf(({ sequence }) => [
      datagram({ type: 18, sequence, payload: TCP_ROW }, { type: 18, sequence, payload: TCP_ROW }),
      datagram({ type: 18, sequence, payload: TCP_ROW }, done(sequence)),
    ]);
    const rows = collect((visit) => source.tcpConnections(visit));
    expect(rows.map(({ local }) => local)).toEqual(Array(3).fill('10.0.0.1:40000'));
  });

  it('share one netlink socket as long as they succeed', () => {
    const { kernels, source } = sourceOf(({ sequence }) => [datagram(done(sequence))]);
    source.tcpListeners(() => {});
    source.tcpConnections(() => {});
    source.udp(() => {});
    expect(kernels).toHaveLength(1);
    source.close();
    expect(kernels[0]?.closed).toBe(true);
  });
});

describe('a dump that fails', () => {
  const walks: [string, (source: NetlinkSource) => void][] = [
    ['dump of TCP listeners', (source) => source.tcpListeners(() => {})],
    ['dump of TCP sockets', (source) => source.tcpConnections(() => {})],
    ['dump of bound TCP sockets', (source) => source.tcpBoundOnly(() => {})],
    ['dump of UDP sockets (family 2)', (source) => source.udp(() => {})],
  ];

  it.each(walks)('is named: %s', (name, walk) => {
    const { source } = sourceOf(({ sequence }) => [datagram(refusal(sequence, ENOENT))]);
    expect(failure(() => walk(source))).toBe(
      `${name}: the kernel answered: no such file or directory (ENOENT)`,
    );
  });

  it.each(walks)('is named where what came is not a socket: %s', (name, walk) => {
    const { source } = sourceOf(({ sequence }) => [
      datagram({ type: 18, sequence, payload: TCP_ROW.subarray(0, 71) }, done(sequence)),
    ]);
    expect(failure(() => walk(source))).toBe(`${name}: malformed answer: a socket of 71 bytes, expected 72`);
  });

  it('names the family that failed', () => {
    const { source } = sourceOf(({ sequence, payload }) => [
      datagram(payload[0] === 2 ? done(sequence) : refusal(sequence, ENOENT)),
    ]);
    expect(failure(() => source.udp(() => {}))).toMatch(/^dump of UDP sockets \(family 10\): .*ENOENT/);
  });

  it('leaves the next one a fresh socket, so that the rest of its answer is never read', () => {
    const broken = encodeSocket({ family: 'ipv4', state: 1, local: '10.6.6.6', localPort: 666 });
    const { kernels, source } = sourceOf(({ sequence }, nth) =>
      nth === 0
        ? [datagram(refusal(sequence, ENOENT)), datagram({ type: 18, sequence, payload: broken })]
        : [datagram({ type: 18, sequence, payload: TCP_ROW }, done(sequence))],
    );
    expect(() => source.tcpConnections(() => {})).toThrow(ExporterError);
    expect(kernels.map(({ closed }) => closed)).toEqual([true]);
    const rows = collect((visit) => source.tcpConnections(visit));
    expect(rows.map(({ local }) => local)).toEqual(['10.0.0.1:40000']);
    expect(kernels.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it('does not hide a defect of the visitor, and needs a fresh socket after it too', () => {
    const { kernels, source } = sourceOf(({ sequence }) => [
      datagram({ type: 18, sequence, payload: TCP_ROW }, done(sequence)),
    ]);
    const defect = new TypeError('a defect');
    const walk = () =>
      source.tcpConnections(() => {
        throw defect;
      });
    expect(walk).toThrow(defect);
    expect(kernels[0]?.closed).toBe(true);
  });

  it('says so where no fresh socket can be had', () => {
    let refused = false;
    const source = new NetlinkSource(() => {
      if (refused) throw new KernelError('socket()', EMFILE);
      return new FakeNetlink(() => []);
    }, NO_LINKS);
    expect(() => source.tcpListeners(() => {})).toThrow(ExporterError);
    refused = true;
    expect(failure(() => source.tcpListeners(() => {}))).toMatch(
      /^opening a netlink socket \(NETLINK_SOCK_DIAG\): socket\(\): .+ \(EMFILE\)$/,
    );
  });
});

/** A source whose every netlink socket is a kernel with the same answer; `nth` counts the sockets. */
function sourceOf(answer: (request: Request, nth: number) => readonly Arrival[]) {
  const kernels: FakeNetlink[] = [];
  const source = new NetlinkSource(() => {
    const nth = kernels.length;
    const kernel = new FakeNetlink((request) => answer(request, nth));
    kernels.push(kernel);
    return kernel;
  }, NO_LINKS);
  return { kernels, source };
}

/** The one line of the ExporterError that `walk` throws. */
function failure(walk: () => void): string {
  try {
    walk();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ExporterError);
    return errorLine(thrown);
  }
  throw new Error('nothing was thrown');
}

/** struct inet_diag_req */
function legacy({ type, payload }: Request) {
  const states = new Uint32Array(payload.slice().buffer)[13];
  return { type, bytes: payload.length, ext: payload[3], states };
}

/** struct inet_diag_req_v2 */
function v2({ type, payload }: Request) {
  const [family, protocol, ext] = payload;
  const states = new Uint32Array(payload.slice().buffer)[1];
  return { type, bytes: payload.length, family, protocol, ext, states };
}
