import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/base/errors.ts';
import type { Libc } from '../../src/kernel/libc.ts';
import { type Calculated, Canary } from '../../src/sampling/canary.ts';
import type { CanaryAnswer } from '../../src/snapshot/canaryAnswer.ts';
import { CanaryReporter } from '../../src/supervisor/canaryReporter.ts';
import { recordingLogger, snapshotOf } from './fakes.ts';

const NEW = '6.18.0';
const OLD = '6.12.48+deb13-amd64';

interface Kernel {
  readonly libc: Libc;
  /** Sockets that are open. */
  readonly open: Set<number>;
  asked: number;
}

/** A kernel that answers every bind(), or every socket(), with the errno, or with a port. */
function kernelSaying(errno: number | undefined, call: 'socket' | 'bind' = 'bind'): Kernel {
  const open = new Set<number>();
  const kernel: Kernel = { open, asked: 0, libc: {} as Libc };
  const say = (what: string) => {
    if (what === call && errno !== undefined) throw new KernelError(`${what}()`, errno);
  };
  const libc: Pick<Libc, 'socket' | 'setsockopt' | 'bind' | 'close'> = {
    socket() {
      say('socket');
      kernel.asked++;
      open.add(kernel.asked);
      return kernel.asked;
    },
    setsockopt() {},
    bind: () => say('bind'),
    close: (fd) => void open.delete(fd),
  };
  return Object.assign(kernel, { libc: libc as Libc });
}

/** A sample that left so many ports on both loopback addresses. */
function calculated(left: number, { odd = false, bindMayBlock = false } = {}): Calculated {
  const protocol = { onLoopback: { ipv4: left, ipv6: left }, bindMayBlock };
  return { leavesOneOut: odd, tcp: protocol, udp: protocol } as unknown as Calculated;
}

function disagreements(answers: readonly CanaryAnswer[]): Record<string, boolean> {
  return Object.fromEntries(
    answers.map(({ protocol, family, disagrees }) => [`${protocol} ${family}`, disagrees]),
  );
}

const NONE = { 'tcp ipv4': false, 'tcp ipv6': false, 'udp ipv4': false, 'udp ipv6': false };
const ALL = { 'tcp ipv4': true, 'tcp ipv6': true, 'udp ipv4': true, 'udp ipv6': true };
const UDP = { ...NONE, 'udp ipv4': true, 'udp ipv6': true };
const EXACT = () => ({ tcp: true, udp: true });
const { EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EMFILE } = constants.errno;

describe('the kernel and the calculation', () => {
  it.each([
    ['some left, a port given', 5, false, undefined, NONE],
    ['some left, refused', 5, false, EADDRINUSE, ALL],
    ['none left, a port given', 0, false, undefined, ALL],
    ['none left, refused', 0, false, EADDRINUSE, NONE],
    ['one left, refused', 1, false, EADDRINUSE, ALL],
    // TCP leaves one port of an odd range out at each call.
    ['one left of an odd range, refused', 1, true, EADDRINUSE, UDP],
    ['two left of an odd range, refused', 2, true, EADDRINUSE, ALL],
    ['some left, too many descriptors', 5, false, EMFILE, NONE],
  ])('%s', (_what, left, odd, errno, expected) => {
    const canary = new Canary(kernelSaying(errno).libc, EXACT, NEW);
    expect(disagreements(canary.ask(calculated(left, { odd })))).toEqual(expected);
  });

  it('disagreements add up', () => {
    const canary = new Canary(kernelSaying(EADDRINUSE).libc, EXACT, NEW);
    const counts = [5, 5, 0, 5].map((left) => canary.ask(calculated(left))[0]?.disagreements);
    expect(counts).toEqual([1, 2, 2, 3]);
  });

  it('what was not calculated cannot be refuted', () => {
    const canary = new Canary(kernelSaying(EADDRINUSE).libc, EXACT, NEW);
    const answers = canary.ask({ ...calculated(5), tcp: undefined });
    expect(disagreements(answers)).toEqual(UDP);
    expect(answers.map(({ succeeded }) => succeeded)).toEqual([false, false, false, false]);
  });

  it('a calculation that does not know every socket cannot be refuted', () => {
    const canary = new Canary(kernelSaying(EADDRINUSE).libc, () => ({ tcp: false, udp: true }), NEW);
    expect(disagreements(canary.ask(calculated(5)))).toEqual(UDP);
  });
});

describe('the canary', () => {
  it.each([undefined, EADDRINUSE])('gives back what it opened, errno %s', (errno) => {
    const kernel = kernelSaying(errno);
    new Canary(kernel.libc, EXACT, NEW).ask(calculated(5));
    expect(kernel.asked).toBe(4);
    expect(kernel.open.size).toBe(0);
  });

  it.each([
    [EADDRNOTAVAIL, 'bind', 'EADDRNOTAVAIL', undefined],
    [EAFNOSUPPORT, 'socket', 'EAFNOSUPPORT', undefined],
    [EMFILE, 'socket', 'EMFILE', false],
    [EADDRINUSE, 'bind', 'EADDRINUSE', false],
  ] as const)('errno %s of %s(): %s', (errno, call, error, succeeded) => {
    const [answer] = new Canary(kernelSaying(errno, call).libc, EXACT, NEW).ask(calculated(0));
    expect(answer).toMatchObject({ error, succeeded });
  });

  it.each([
    [NEW, true, 4],
    [NEW, false, 4],
    [OLD, false, 4],
    // Before 6.18 a port that connections hold would stay blocked after it.
    [OLD, true, 2],
    ['mystery', true, 2],
  ])('on Linux %s, where bind() may block a port: %s, asks %i times', (release, bindMayBlock, times) => {
    const kernel = kernelSaying(undefined);
    const answers = new Canary(kernel.libc, EXACT, release).ask(calculated(5, { bindMayBlock }));
    expect(kernel.asked).toBe(times);
    expect(answers.filter(({ succeeded }) => succeeded === undefined)).toHaveLength(4 - times);
  });

  it('on an old Linux does not ask for TCP where the sockets are not known', () => {
    const kernel = kernelSaying(undefined);
    new Canary(kernel.libc, EXACT, OLD).ask({ ...calculated(5), tcp: undefined });
    expect(kernel.asked).toBe(2);
  });

  it('passes defects on', () => {
    const libc = { ...kernelSaying(undefined).libc, bind: () => expect.fail('a defect') };
    expect(() => new Canary(libc, EXACT, NEW).ask(calculated(5))).toThrow('a defect');
  });
});

describe('the log', () => {
  const answer = { protocol: 'tcp', family: 'ipv4', calculated: 5, disagreements: 1 } as const;
  const sampleWith = (disagrees: boolean) => {
    const snapshot = snapshotOf();
    const canary = [
      {
        ...answer,
        disagrees,
        succeeded: !disagrees,
        seconds: 0,
        error: disagrees ? 'EADDRINUSE' : undefined,
      },
    ];
    return {
      ...snapshot,
      namespaces: snapshot.namespaces.map((each) => ({
        ...each,
        ...({ detail: 'full', results: { canary } } as const),
      })),
    };
  };

  it('has the numbers once, and again after they agreed', () => {
    const { log, lines } = recordingLogger();
    const reporter = new CanaryReporter(log);
    for (const disagrees of [false, true, true]) reporter.report(sampleWith(disagrees));
    expect(lines).toEqual([
      [
        'warn',
        'kernel disagrees with the calculation',
        {
          ...{ netns: 'host', protocol: 'tcp', family: 'ipv4', kernel: 'EADDRINUSE' },
          ...{ calculated_available_ports: 5, usable_ports: undefined, disagreements: 1 },
        },
      ],
    ]);
    for (const disagrees of [false, true]) reporter.report(sampleWith(disagrees));
    expect(lines).toHaveLength(2);
  });
});
