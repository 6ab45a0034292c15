import { constants } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { PortSet } from '../../src/aggregate/portSet.ts';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { ExplicitWalk } from '../../src/sampling/explicitWalk.ts';
import { WalkTurns } from '../../src/sampling/walkTurns.ts';
import { SocketRecord, TcpState, type Visit } from '../../src/sockets/record.ts';

const USABLE = new PortSet(40_000, 40_099);
USABLE.addRange(40_000, 40_099);

function connection(localPort: number, rest: Partial<SocketRecord> = {}): SocketRecord {
  const to = { state: TcpState.ESTABLISHED, inode: 7, local0: 1, remote0: 2, remotePort: 80 };
  return Object.assign(new SocketRecord(), to, { localPort }, rest);
}

/** A kernel whose walk takes `costMs`, and a clock. */
class Kernel {
  nowMs = 1000;
  costMs = 10;
  walks = 0;
  refuses = false;
  ports: readonly number[] = [];

  readonly tcpExplicitPorts = (visit: Visit): void => {
    this.walks++;
    this.nowMs += this.costMs;
    if (this.refuses) throw new ExporterError('dump: EINVAL');
    for (const port of this.ports) visit(connection(port));
  };

  walk(turns?: WalkTurns): ExplicitWalk {
    return new ExplicitWalk(this, turns, () => this.nowMs);
  }
}

describe('the walk for ports that were chosen by number', () => {
  it('takes at most one percent of the time', () => {
    const kernel = new Kernel();
    const walk = kernel.walk();
    walk.begin(USABLE, true);
    kernel.nowMs += 999;
    walk.begin(USABLE, true);
    expect(kernel.walks).toBe(1);
    kernel.nowMs += 1;
    walk.begin(USABLE, true);
    expect(kernel.walks).toBe(2);
  });

  it('is not made while nobody wants it', () => {
    const kernel = new Kernel();
    const ports = kernel.walk().begin(USABLE, false);
    expect(kernel.walks).toBe(0);
    expect(ports?.recognise(connection(40_001))).toBe(false);
  });

  it('fails for want of memory, and is made again in the next round', () => {
    const kernel = new Kernel();
    const walk = kernel.walk();
    kernel.ports = [40_001];
    const { tcpExplicitPorts } = kernel;
    const short = vi.spyOn(kernel, 'tcpExplicitPorts').mockImplementation(() => {
      throw new ExporterError('dump', { cause: new KernelError('recv()', constants.errno.ENOMEM) });
    });
    expect(() => walk.begin(USABLE, true)).toThrow(ExporterError);
    short.mockImplementation(tcpExplicitPorts);
    expect(walk.begin(USABLE, true)?.recognise(connection(40_001))).toBe(true);
  });

  it('once refused leaves the evidence unknown, and is made again a minute later', () => {
    const kernel = new Kernel();
    const walk = kernel.walk();
    kernel.refuses = true;
    expect(walk.begin(USABLE, true)).toBeUndefined();
    kernel.refuses = false;
    expect(walk.begin(USABLE, true)).toBeUndefined();
    kernel.nowMs += 60_000;
    expect(walk.begin(USABLE, true)).toBeDefined();
    expect(kernel.walks).toBe(2);
  });

  it('is made in turn by namespaces that share the time, whoever waits longest first', () => {
    const kernel = new Kernel();
    const turns = new WalkTurns(() => kernel.nowMs);
    const namespaces = [kernel.walk(turns), kernel.walk(turns), kernel.walk(turns)];
    const round = () => namespaces.map((walk) => walk.begin(USABLE, true) !== undefined);
    // Until it was its turn for the first time, nobody can tell.
    expect(round()).toEqual([true, false, false]);
    expect(kernel.walks).toBe(1);
    kernel.nowMs += 1000;
    expect(round()).toEqual([true, true, false]);
    kernel.nowMs += 1000;
    expect(round()).toEqual([true, true, true]);
    expect(kernel.walks).toBe(3);
    kernel.nowMs += 1000;
    expect(round()).toEqual([true, true, true]);
    expect(kernel.walks).toBe(4);
  });

  it('does not wait for a namespace that is gone', () => {
    const kernel = new Kernel();
    const turns = new WalkTurns(() => kernel.nowMs);
    const [first, gone, last] = [kernel.walk(turns), kernel.walk(turns), kernel.walk(turns)];
    for (const walk of [first, gone, last]) {
      walk.begin(USABLE, true);
      kernel.nowMs += 1;
    }
    kernel.nowMs += 30_000;
    expect(last.begin(USABLE, true)).toBeUndefined();
    kernel.nowMs += 31_000;
    expect(last.begin(USABLE, true)).toBeDefined();
  });

  it('is none where the source cannot tell', () => {
    const walk = new ExplicitWalk({ tcpExplicitPorts: undefined });
    expect(walk.begin(USABLE, true)).toBeUndefined();
  });
});

describe('a connection whose port was chosen by number', () => {
  it('is recognised while it lives, without another walk, and in TIME_WAIT', () => {
    const kernel = new Kernel();
    kernel.ports = [40_001, 39_000];
    const walk = kernel.walk();
    const first = walk.begin(USABLE, true);
    expect([40_001, 40_002, 39_000].map((port) => first?.mayBe(port))).toEqual([true, false, false]);
    expect(first?.recognise(connection(40_001))).toBe(true);
    // The same port, another destination: another connection.
    expect(first?.recognise(connection(40_001, { remotePort: 81 }))).toBe(false);
    first?.end();
    const second = walk.begin(USABLE, true);
    expect(kernel.walks).toBe(1);
    expect(second?.recognise(connection(40_001, { state: TcpState.TIME_WAIT, inode: 0 }))).toBe(true);
    second?.end();
    // A walk that does not show it: one in TIME_WAIT cannot be shown, one with a socket is another by now.
    kernel.ports = [];
    kernel.nowMs += 2000;
    const third = walk.begin(USABLE, true);
    expect(kernel.walks).toBe(2);
    expect(third?.recognise(connection(40_001))).toBe(false);
    expect(third?.recognise(connection(40_001, { state: TcpState.TIME_WAIT, inode: 0 }))).toBe(true);
  });

  it('is forgotten once a round does not meet it', () => {
    const kernel = new Kernel();
    kernel.ports = [40_001];
    const walk = kernel.walk();
    walk.begin(USABLE, true)?.end();
    expect(walk.begin(USABLE, true)?.mayBe(40_001)).toBe(false);
  });

  it('is met again where the same round walks twice', () => {
    const kernel = new Kernel();
    kernel.ports = [40_001];
    const walk = kernel.walk();
    const ports = walk.begin(USABLE, true);
    expect(ports?.recognise(connection(40_001))).toBe(true);
    ports?.restart();
    expect(ports?.recognise(connection(40_001))).toBe(true);
    ports?.end();
    expect(walk.begin(USABLE, true)?.recognise(connection(40_001))).toBe(true);
  });
});
