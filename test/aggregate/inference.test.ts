import { describe, expect, it } from 'vitest';
import { Destinations } from '../../src/aggregate/destinations.ts';
import { emptyInferenceState, type InferenceState } from '../../src/aggregate/inferenceState.ts';
import { ephemeralRange } from '../../src/aggregate/range.ts';
import { TcpSockets } from '../../src/aggregate/tcp.ts';
import type { TcpSnapshot } from '../../src/aggregate/tcpSnapshot.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { LIMITS, type Sock, sysctlsOf, toRecord } from './world.ts';

/** A destination, and another one. */
const D1 = { state: TcpState.ESTABLISHED, local: '10.0.0.1', remote: '10.0.1.1', remotePort: 443 };
const D2 = { ...D1, remotePort: 80 };
const D6 = { ...D1, local: 'fd00::1', remote: 'fd00::9' };

describe('a connection in the half of the range that connect() takes second', () => {
  it('was bound, while its destination has not used up the first', () => {
    const sampler = new Sampler(40_000, 40_009);
    const snapshot = sampler.sample([...on(D1, 40_000, 40_002, 40_001), ...on(D2, 40_009)]);
    expect(snapshot.blocked.inferred).toBe(2);
    expect(snapshot.capacity).toBe(8);
    expect(availableOf(snapshot)).toEqual({ 443: 6, 80: 8 });
  });

  it('was chosen by connect(), where all of the first half is held', () => {
    const sampler = new Sampler(40_000, 40_009);
    const snapshot = sampler.sample(on(D1, 40_000, 40_002, 40_004, 40_006, 40_008, 40_001, 40_003));
    expect(snapshot.blocked.inferred).toBe(0);
    expect(availableOf(snapshot)).toEqual({ 443: 3 });
  });

  it('needs no more of the first half than is not blocked or reserved anyway', () => {
    const sampler = new Sampler(40_000, 40_009, [[40_000, 40_000]]);
    const listener = { state: TcpState.LISTEN, local: '10.0.0.7', localPort: 40_002 };
    const bound = { state: TcpState.CLOSE, local: '10.0.0.7', localPort: 40_004 };
    const snapshot = sampler.sample([listener, bound, ...on(D1, 40_006, 40_008, 40_001)]);
    expect(snapshot.blocked).toEqual({ listener: 1, bound: 1, inferred: 0 });
  });

  it.each([
    ['all of it', [40_000, 40_002, 40_004, 40_006, 40_008], 0],
    ['all but the one that a call leaves out', [40_002, 40_004, 40_006, 40_008], 0],
    ['all but two', [40_004, 40_006, 40_008], 1],
  ])('of an odd number of ports, the first half used up with %s', (_, held, inferred) => {
    const snapshot = new Sampler(40_000, 40_008).sample(on(D1, ...held, 40_001));
    expect(snapshot.blocked.inferred).toBe(inferred);
  });

  it.each([
    [2, 0],
    [3, 1],
  ])('of a large range, while connections come and go: %d ports of 128 just given back', (free, inferred) => {
    const firstHalf = Array.from({ length: 128 - free }, (_, index) => 40_000 + 2 * index);
    const snapshot = new Sampler(40_000, 40_255).sample(on(D1, ...firstHalf, 40_001));
    expect(snapshot.blocked.inferred).toBe(inferred);
  });

  it('with an odd first port lies on the even ones', () => {
    const snapshot = new Sampler(40_001, 40_010).sample([...on(D1, 40_001, 40_003), ...on(D2, 40_002)]);
    expect(snapshot.blocked.inferred).toBe(1);
  });

  it('blocks its port for every destination, family and address, and counts as used for none', () => {
    const full = [40_000, 40_002, 40_004, 40_006, 40_008, 40_001, 40_003];
    const snapshot = new Sampler(40_000, 40_009).sample([
      ...on(D1, ...full),
      ...on(D2, 40_001),
      ...on(D6, 40_003),
    ]);
    expect(snapshot.blocked.inferred).toBe(2);
    expect(snapshot.capacity).toBe(8);
    expect(availableOf(snapshot)).toEqual({ 443: 3, 80: 8 });
    expect(snapshot.connect.available).toBe(3);
  });
});

describe('what a sample remembers', () => {
  const FIRST_HALF = [40_000, 40_002, 40_004, 40_006, 40_008];

  it('a connection once known as bound stays so when its destination passes its half', () => {
    const sampler = new Sampler(40_000, 40_009);
    expect(sampler.inferred(on(D1, 40_001))).toBe(1);
    expect(sampler.inferred(on(D1, ...FIRST_HALF, 40_001, 40_003))).toBe(1);
    expect(sampler.inferred(on(D1, ...FIRST_HALF, 40_001, 40_003))).toBe(1);
    expect(sampler.inferred(on(D1, 40_001, 40_003))).toBe(1);
  });

  it('a destination that was past its half keeps what connect() chose, when it drains', () => {
    const sampler = new Sampler(40_000, 40_009);
    expect(sampler.inferred(on(D1, ...FIRST_HALF, 40_001, 40_003))).toBe(0);
    expect(sampler.inferred(on(D1, 40_000, 40_001, 40_003))).toBe(0);
    expect(sampler.inferred(on(D1, 40_003))).toBe(0);
  });

  it('which says nothing of other destinations', () => {
    const sampler = new Sampler(40_000, 40_009);
    sampler.sample(on(D1, ...FIRST_HALF, 40_001));
    expect(sampler.inferred([...on(D1, 40_001), ...on(D2, 40_003), ...on(D6, 40_005)])).toBe(2);
  });

  it('until it has none left in the second half', () => {
    const sampler = new Sampler(40_000, 40_009);
    sampler.sample(on(D1, ...FIRST_HALF, 40_001));
    sampler.sample(on(D1, 40_000, 40_002));
    expect(sampler.inferred(on(D1, 40_001))).toBe(1);
  });

  it('and a bound connection is forgotten once it is gone', () => {
    const sampler = new Sampler(40_000, 40_009);
    sampler.sample(on(D1, 40_001));
    sampler.sample(on(D1, ...FIRST_HALF));
    expect(sampler.inferred(on(D1, ...FIRST_HALF, 40_001))).toBe(0);
  });

  it('IPv6 as well', () => {
    const sampler = new Sampler(40_000, 40_009);
    expect(sampler.inferred(on(D6, ...FIRST_HALF, 40_001))).toBe(0);
    expect(sampler.inferred(on(D6, 40_001))).toBe(0);
    expect(sampler.inferred([])).toBe(0);
    expect(sampler.inferred(on(D6, 40_001))).toBe(1);
  });

  it('nothing, where there was no sample before', () => {
    expect(new Sampler(40_000, 40_009).inferred(on(D1, 40_000, 40_001))).toBe(1);
  });
});

/** One sample after the other. */
class Sampler {
  readonly #sysctls;
  readonly #destinations = new Destinations();
  #memory: InferenceState = emptyInferenceState();

  constructor(first: number, last: number, reserved: [number, number][] = []) {
    this.#sysctls = sysctlsOf(first, last, { reserved });
  }

  sample(tcp: readonly Sock[]): TcpSnapshot {
    const tally = new TcpSockets(ephemeralRange(this.#sysctls), this.#sysctls, this.#destinations);
    for (const sock of tcp) {
      if (sock.state === TcpState.LISTEN) tally.addListener(toRecord(sock));
      else tally.addConnection(toRecord(sock));
    }
    const { snapshot, memory } = tally.summarise({
      limits: LIMITS,
      seesBoundOnly: true,
      memory: this.#memory,
    });
    this.#memory = memory ?? this.#memory;
    return snapshot;
  }

  inferred(tcp: readonly Sock[]): number {
    return this.sample(tcp).blocked.inferred ?? Number.NaN;
  }
}

function on(destination: Omit<Sock, 'localPort'>, ...ports: number[]): Sock[] {
  return ports.map((localPort) => ({ ...destination, localPort }));
}

/** Of the IPv4 destinations, by remote port. */
function availableOf({ destinations }: TcpSnapshot): Record<number, number> {
  const ipv4 = destinations.fullest.filter(({ localAddress }) => !localAddress.includes(':'));
  return Object.fromEntries(ipv4.map(({ remotePort, available }) => [remotePort, available]));
}
