import { describe, expect, it } from 'vitest';
import { DestinationHolders } from '../../src/aggregate/destinationHolders.ts';
import { Destinations } from '../../src/aggregate/destinations.ts';
import { emptyInferenceState } from '../../src/aggregate/inferenceState.ts';
import { ephemeralRange } from '../../src/aggregate/range.ts';
import { TcpSockets } from '../../src/aggregate/tcp.ts';
import { nameHolders } from '../../src/sampling/nameOwners.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { LIMITS, type Sock, sysctlsOf, toRecord } from './world.ts';

const { ESTABLISHED, TIME_WAIT } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099);
const NAMES: Readonly<Record<number, string>> = { 5: 'web.service', 6: 'web.service', 7: 'batch.service' };

function to(remote: string, localPort: number, cgroupId = 0, state: number = ESTABLISHED): Sock {
  const local = remote.includes('.') ? '10.0.0.1' : 'fd00::1';
  return { state, local, localPort, remote, remotePort: 443, cgroupId };
}

/** Owners of each destination by remote address, those in `watched` being watched. */
function ownersOf(tcp: readonly Sock[], watched: readonly string[]) {
  const range = ephemeralRange(sysctls);
  const keys = watched.map((remoteAddress) => ({
    ...{ remoteAddress, remotePort: 443, deviceIndex: 0 },
    localAddress: remoteAddress.includes('.') ? '10.0.0.1' : 'fd00::1',
  }));
  const tally = new TcpSockets(range, sysctls, new Destinations(), { watched: new DestinationHolders(keys) });
  for (const sock of tcp) tally.addConnection(toRecord(sock));
  const { snapshot } = tally.summarise({
    ...{ limits: LIMITS, seesBoundOnly: true, memory: emptyInferenceState() },
  });
  return Object.fromEntries(
    snapshot.destinations.fullest.map(({ remoteAddress, heldBy }) => [
      remoteAddress,
      heldBy && nameHolders(heldBy, (id) => NAMES[id]).map(({ owner, ports }) => ({ owner, ports })),
    ]),
  );
}

describe('whose the ports of a watched destination are', () => {
  it('is counted by owner, most first; cgroups of one are added up, and no cgroup is nobody', () => {
    const tcp = [
      to('10.0.1.1', 40_000, 7),
      to('10.0.1.1', 40_002, 5),
      to('10.0.1.1', 40_004, 5),
      to('10.0.1.1', 40_006, 6),
      to('10.0.1.1', 40_008, 7),
      to('10.0.1.1', 40_010, 0, TIME_WAIT),
      to('10.0.1.1', 40_012, 99),
      to('10.0.1.1', 40_014, 5),
      to('10.0.1.1', 40_016, 2 ** 33 + 5),
    ];
    expect(ownersOf(tcp, ['10.0.1.1'])).toEqual({
      '10.0.1.1': [
        { owner: 'web.service', ports: 4 },
        { owner: 'unattributed', ports: 3 },
        { owner: 'batch.service', ports: 2 },
      ],
    });
  });

  it('is told apart from the others, in both families, and not told of those that are not watched', () => {
    const tcp = [
      to('10.0.1.1', 40_000, 5),
      to('fd00::9', 40_002, 7),
      to('10.0.1.2', 40_004, 7),
      to('10.0.1.3', 40_006, 5),
      to('10.0.1.1', 40_008, 5),
    ];
    expect(ownersOf(tcp, ['fd00::9', '10.0.1.1', '10.0.1.1', '10.0.1.3', '10.0.9.9'])).toEqual({
      '10.0.1.1': [{ owner: 'web.service', ports: 2 }],
      '10.0.1.3': [{ owner: 'web.service', ports: 1 }],
      'fd00::9': [{ owner: 'batch.service', ports: 1 }],
      '10.0.1.2': undefined,
    });
  });

  it('holds while the tables grow', () => {
    const others = Array.from({ length: 3000 }, (_, i) => to(`10.${1 + (i >> 8)}.2.${i & 255}`, 40_020, 7));
    const tcp = [to('10.0.1.1', 40_000, 5), ...others, to('10.0.1.1', 40_002, 5)];
    expect(ownersOf(tcp, ['10.0.1.1'])['10.0.1.1']).toEqual([{ owner: 'web.service', ports: 2 }]);
  });
});
