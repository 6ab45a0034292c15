import { describe, expect, it } from 'vitest';
import { isReclaimable } from '../../src/aggregate/timeWait.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, toRecord } from './world.ts';

const ELSEWHERE = { local: '192.0.2.1', remote: '203.0.113.1' };
const LOOPBACK: readonly Pick<Required<Sock>, 'local' | 'remote'>[] = [
  { local: '127.0.0.1', remote: '127.0.0.1' },
  { local: '127.255.255.255', remote: '10.0.0.1' },
  { local: '10.0.0.1', remote: '127.1.2.3' },
  { local: '::ffff:127.0.0.1', remote: '::ffff:127.0.0.1' },
  { local: '::1', remote: '::1' },
  { local: 'fd00::1', remote: '::1' },
  { local: '::1', remote: 'fd00::1' },
];
const NOT_LOOPBACK: typeof LOOPBACK = [
  ELSEWHERE,
  { local: '126.0.0.1', remote: '128.0.0.1' },
  { local: 'fd00::1', remote: '2001:db8::1' },
  { local: '::2', remote: '::1:1' },
  { local: '7f00::1', remote: '7f00::2' },
];

describe('connect() may take over a TIME_WAIT', () => {
  it.each([
    { twReuse: 0, elsewhere: false, loopback: false },
    { twReuse: 1, elsewhere: true, loopback: true },
    { twReuse: 2, elsewhere: false, loopback: true },
  ] as const)(
    'with tcp_tw_reuse $twReuse: elsewhere $elsewhere, on loopback $loopback',
    ({ twReuse, elsewhere, loopback }) => {
      for (const ends of NOT_LOOPBACK) expect(reclaimable(ends, { twReuse }), ends.local).toBe(elsewhere);
      for (const ends of LOOPBACK) expect(reclaimable(ends, { twReuse }), ends.local).toBe(loopback);
    },
  );

  it.each([
    [1000, 0, false],
    [1000, 999, false],
    [1000, 1000, true],
    [1000, 60_000, true],
    [5000, 4999, false],
    [5000, 5000, true],
    [0, 0, true],
    [0, -1, false],
    [1000, -1, false],
  ])(
    'from tcp_tw_reuse_delay on: %d ms, at an age of %d ms: %s',
    (twReuseDelayMs, timeWaitAgeMs, expected) => {
      expect(reclaimable({ ...ELSEWHERE, timeWaitAgeMs }, { twReuse: 1, twReuseDelayMs })).toBe(expected);
    },
  );

  it('only with TCP timestamps', () => {
    expect(reclaimable(ELSEWHERE, { twReuse: 1, timestamps: false })).toBe(false);
  });

  it('and nothing else: FIN_WAIT2 is none', () => {
    expect(reclaimable({ ...ELSEWHERE, state: TcpState.FIN_WAIT2 }, { twReuse: 1 })).toBe(false);
  });
});

function reclaimable(sock: Partial<Sock>, sysctls: Parameters<typeof sysctlsOf>[2]): boolean {
  const old = {
    state: TcpState.TIME_WAIT,
    local: '',
    localPort: 40_000,
    remotePort: 443,
    timeWaitAgeMs: 30_000,
  };
  return isReclaimable(toRecord({ ...old, ...sock }), sysctlsOf(40_000, 40_099, sysctls));
}
