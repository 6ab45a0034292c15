import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../src/base/errors.ts';
import type { Libc } from '../../src/kernel/libc.ts';
import { NetlinkDumper, openNetlinkSocket } from '../../src/kernel/netlink.ts';
import {
  type Arrival,
  datagram,
  done,
  FakeNetlink,
  int32,
  type Message,
  NLM_F_DUMP_INTR,
  NLMSG,
  type Request,
  refusal,
} from './fakeNetlink.ts';

const { ENOENT, EPERM, ENOBUFS, EACCES } = constants.errno;
const TYPE = 18;

describe('a dump', () => {
  it('visits every message of every datagram until DONE, in order', () => {
    expect(
      visited(({ sequence }) => [
        datagram(row(sequence, 1), row(sequence, 2)),
        datagram(row(sequence, 3)),
        datagram(row(sequence, 4), done(sequence)),
      ]),
    ).toEqual([[1], [2], [3], [4]]);
  });

  it('visits nothing where the table is empty', () => {
    expect(visited(({ sequence }) => [datagram(done(sequence))])).toEqual([]);
  });

  it('hands over each payload whole, whatever padding follows it', () => {
    const payloads = [[1], [1, 2, 3, 4, 5], []].map((bytes) => Uint8Array.from(bytes));
    expect(
      visited(({ sequence }) => [
        datagram(...payloads.map((payload): Message => ({ type: TYPE, sequence, payload })), done(sequence)),
      ]),
    ).toEqual([[1], [1, 2, 3, 4, 5], []]);
  });

  it('ends with a DONE that carries no errno', () => {
    expect(visited(({ sequence }) => [datagram({ type: NLMSG.DONE, sequence })])).toEqual([]);
  });

  it('skips NOOP', () => {
    expect(
      visited(({ sequence }) => [datagram({ type: NLMSG.NOOP, sequence }, row(sequence, 1), done(sequence))]),
    ).toEqual([[1]]);
  });

  it('skips what belongs to another request, refusals and ends too', () => {
    expect(
      visited(({ sequence }) => [
        datagram(row(sequence + 1, 66), done(sequence + 1)),
        datagram(refusal(sequence - 1, EPERM), { type: NLMSG.OVERRUN, sequence: 0 }),
        datagram(row(sequence, 1), { ...row(sequence + 7, 67), flags: NLM_F_DUMP_INTR }, done(sequence)),
      ]),
    ).toEqual([[1]]);
  });

  it('asks with its type, REQUEST and DUMP, the payload, and a new number each time', () => {
    const kernel = new FakeNetlink(({ sequence }) => [datagram(done(sequence))]);
    const dumper = new NetlinkDumper(kernel);
    dumper.dump('first', 18, Uint8Array.of(1, 2, 3), () => {});
    dumper.dump('second', 20, Uint8Array.of(), () => {});
    const [first, second] = kernel.requests;
    expect(first).toMatchObject({ type: 18, flags: 0x301, length: 19, payload: Uint8Array.of(1, 2, 3) });
    expect(second).toMatchObject({ type: 20, flags: 0x301, length: 16 });
    expect(second?.sequence).not.toBe(first?.sequence);
  });
});

describe('a dump that fails says which it was and what went wrong', () => {
  const failures: [string, (sequence: number) => Arrival[], string | RegExp][] = [
    [
      'DONE with an errno',
      (sequence) => [datagram(row(sequence, 1)), datagram(done(sequence, ENOBUFS))],
      /^the dump: the kernel answered: .+ \(ENOBUFS\)$/,
    ],
    [
      'a module that cannot be loaded',
      (sequence) => [datagram(refusal(sequence, ENOENT))],
      'the dump: the kernel answered: no such file or directory (ENOENT)',
    ],
    [
      'a request that is not permitted',
      (sequence) => [datagram(refusal(sequence, EPERM))],
      'the dump: the kernel answered: operation not permitted (EPERM)',
    ],
    [
      'an errno nobody has heard of',
      (sequence) => [datagram({ type: NLMSG.ERROR, sequence, payload: int32(-(2 ** 31)) })],
      'the dump: the kernel answered: unknown error (errno 2147483648)',
    ],
    [
      'a table that changed meanwhile',
      (sequence) => [datagram({ ...row(sequence, 1), flags: 2 | NLM_F_DUMP_INTR }, done(sequence))],
      'the dump: interrupted by a change of the table (NLM_F_DUMP_INTR)',
    ],
    [
      'a change noticed at the end only',
      (sequence) => [datagram(row(sequence, 1), { ...done(sequence), flags: 2 | NLM_F_DUMP_INTR })],
      'the dump: interrupted by a change of the table (NLM_F_DUMP_INTR)',
    ],
    [
      'OVERRUN',
      (sequence) => [datagram({ type: NLMSG.OVERRUN, sequence }, done(sequence))],
      'the dump: data lost (NLMSG_OVERRUN)',
    ],
    [
      'a receive buffer that ran over',
      (sequence) => [datagram(row(sequence, 1)), ENOBUFS],
      /^the dump: recv\(\): .+ \(ENOBUFS\)$/,
    ],
    ['no answer', () => [], 'the dump: recv(): resource temporarily unavailable (EAGAIN)'],
    [
      'an answer that stops',
      (sequence) => [datagram(row(sequence, 1))],
      'the dump: recv(): resource temporarily unavailable (EAGAIN)',
    ],
    [
      'a datagram larger than the buffer',
      (sequence) => [
        Buffer.concat([datagram(row(sequence, 1), done(sequence)), new Uint8Array(2 ** 16 - 39)]),
      ],
      'the dump: malformed answer: a datagram of 65537 bytes, more than 65536',
    ],
    ['an empty datagram', () => [new Uint8Array()], 'the dump: malformed answer: a datagram of 0 bytes'],
    [
      'half a header',
      (sequence) => [datagram(done(sequence)).subarray(0, 15)],
      'the dump: malformed answer: a datagram of 15 bytes',
    ],
    [
      'half a message',
      (sequence) => [datagram(done(sequence)).subarray(0, 18)],
      'the dump: malformed answer: a message of 20 bytes with 18 left',
    ],
    [
      'a message that claims to be shorter than its header',
      (sequence) => [datagram({ ...done(sequence), claimedLength: 0 })],
      'the dump: malformed answer: a message of 0 bytes with 20 left',
    ],
    [
      'a message that claims more than there is',
      (sequence) => [datagram(row(sequence, 1), { ...row(sequence, 2), claimedLength: 2 ** 32 - 1 })],
      'the dump: malformed answer: a message of 4294967295 bytes with 20 left',
    ],
    [
      'a refusal without an errno',
      (sequence) => [datagram({ type: NLMSG.ERROR, sequence, payload: Uint8Array.of(1, 2) })],
      'the dump: malformed answer: an error message of 2 bytes',
    ],
    [
      'an acknowledgement',
      (sequence) => [datagram(refusal(sequence, 0))],
      'the dump: malformed answer: an unrequested acknowledgement',
    ],
    [
      'a message of no type',
      (sequence) => [datagram({ type: 0, sequence })],
      'the dump: malformed answer: a message of type 0',
    ],
  ];

  it.each(failures)('%s', (_, answer, line) => {
    const thrown = caught(() => visited(({ sequence }) => answer(sequence)));
    expect(thrown).toBeInstanceOf(ExporterError);
    if (typeof line === 'string') expect(errorLine(thrown)).toBe(line);
    else expect(errorLine(thrown)).toMatch(line);
  });

  it('a request the kernel does not take', () => {
    const kernel = new FakeNetlink(() => {
      throw new KernelError('send()', EACCES);
    });
    const thrown = caught(() => new NetlinkDumper(kernel).dump('the dump', TYPE, Uint8Array.of(), () => {}));
    expect(errorLine(thrown)).toBe('the dump: send(): permission denied (EACCES)');
  });

  it('but leaves alone what the visitor throws', () => {
    const defect = new RangeError('a defect of the visitor');
    const kernel = new FakeNetlink(({ sequence }) => [datagram(row(sequence, 1))]);
    const dump = () =>
      new NetlinkDumper(kernel).dump('the dump', TYPE, Uint8Array.of(), () => {
        throw defect;
      });
    expect(caught(dump)).toBe(defect);
  });
});

describe('a netlink socket', () => {
  it('is a raw one of its protocol, gives up waiting after 5 s, and learns the length of what did not fit', () => {
    const libc = new FakeLibc();
    const socket = openNetlinkSocket(libc, 4);
    socket.receive(new Uint8Array(8));
    socket.close();
    const timeval = new BigInt64Array([5n, 0n]);
    expect(libc.calls).toEqual([
      ['socket', 16, 3, 4],
      ['setsockopt', 7, 1, 20, new Uint8Array(timeval.buffer)],
      ['recv', 7, 0x20],
      ['close', 7],
    ]);
  });

  it('is closed again where it cannot be given a timeout', () => {
    const libc = new FakeLibc();
    libc.setsockopt = () => {
      throw new KernelError('setsockopt()', EPERM);
    };
    expect(() => openNetlinkSocket(libc, 4)).toThrow(new KernelError('setsockopt()', EPERM));
    expect(libc.calls.at(-1)).toEqual(['close', 7]);
  });
});

function row(sequence: number, byte: number): Message {
  return { type: TYPE, sequence, payload: Uint8Array.of(byte) };
}

/** Payloads that one dump visits. */
function visited(answer: (request: Request) => Arrival[]): number[][] {
  const payloads: number[][] = [];
  new NetlinkDumper(new FakeNetlink(answer)).dump('the dump', TYPE, Uint8Array.of(), (view, start, end) => {
    payloads.push([...new Uint8Array(view.buffer, view.byteOffset + start, end - start)]);
  });
  return payloads;
}

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
}

class FakeLibc implements Libc {
  readonly calls: unknown[][] = [];
  socket(...args: number[]): number {
    this.calls.push(['socket', ...args]);
    return 7;
  }
  connect(): void {
    throw new Error('unexpected connect()');
  }
  setsockopt(...args: [number, number, number, Uint8Array]): void {
    this.calls.push(['setsockopt', ...args]);
  }
  bind(): void {}
  setns(): void {}
  send(): number {
    return 0;
  }
  sendto(): number {
    return 0;
  }
  recv(fd: number, _into: Uint8Array, flags: number): number {
    this.calls.push(['recv', fd, flags]);
    return 0;
  }
  close(fd: number): void {
    this.calls.push(['close', fd]);
  }
}
