import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Destinations } from '../../src/aggregate/destinations.ts';
import { ExporterError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { OwnerResolver } from '../../src/sampling/ownerResolver.ts';
import { SampledNamespace } from '../../src/sampling/sampledNamespace.ts';
import type { FullSample } from '../../src/snapshot/sample.ts';
import { SocketRecord, TcpState, type Visit } from '../../src/sockets/record.ts';
import type { SocketSource } from '../../src/sockets/source.ts';
import { samplingOptions } from '../support/samplingOptions.ts';

let procfs = '';
beforeAll(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-sampler-'));
  mkdirSync(join(procfs, 'sys/net/ipv4'), { recursive: true });
  writeRange();
  // With a cgroup v2: whose sockets they are can be told.
  mkdirSync(join(procfs, 'self'));
  writeFileSync(join(procfs, 'self/mountinfo'), `34 23 0:29 / ${procfs}/cgroup rw - cgroup2 cgroup2 rw\n`);
  mkdirSync(join(procfs, 'cgroup'));
  writeFileSync(join(procfs, 'cgroup/cgroup.controllers'), '');
});
afterAll(() => rmSync(procfs, { recursive: true }));

/** Ten ports: connect() takes the five even ones first. */
function writeRange(): void {
  writeFileSync(join(procfs, 'sys/net/ipv4/ip_local_port_range'), '40000\t40009\n');
}

/** What the next sample finds; a string is a failure at that point of the dump. */
interface Dumps {
  listeners?: readonly (number | string)[];
  /** Local ports of connections to one destination. */
  connections?: readonly (number | string)[];
  /** Of these, the ones whose port was chosen by number. */
  explicit?: readonly (number | string)[];
  udp?: readonly (number | string)[];
}

class FakeSource implements SocketSource {
  readonly kind = 'netlink';
  readonly sees = { boundOnly: true, cgroups: true, ipv6Only: true };
  readonly tcpBinds = undefined;
  readonly beginRound = undefined;
  readonly openElsewhere = undefined;
  readonly holdersOf = undefined;
  readonly readSysctls = undefined;
  dumps: Dumps = {};
  explicitWalks = 0;

  tcpListeners(visit: Visit): void {
    dump(this.dumps.listeners, { state: TcpState.LISTEN }, visit);
  }

  tcpConnections(visit: Visit): void {
    dump(this.dumps.connections, CONNECTED, visit);
  }

  readonly tcpExplicitPorts = (visit: Visit): void => {
    this.explicitWalks++;
    dump(this.dumps.explicit, CONNECTED, visit);
  };

  udp(visit: Visit): void {
    dump(this.dumps.udp, { state: TcpState.CLOSE }, visit);
  }

  deviceName(index: number): string {
    return `if${index}`;
  }

  openAnother(): SocketSource {
    return this;
  }

  close(): void {}
}

const CONNECTED = {
  ...{ state: TcpState.ESTABLISHED, inode: 7 },
  ...{ local0: 0x7f000001, remote0: 0x7f000002, remotePort: 80 },
} as const;

function dump(ports: Dumps['udp'] = [], rest: Partial<SocketRecord>, visit: Visit): void {
  for (const port of ports) {
    if (typeof port === 'string') throw new ExporterError(port);
    visit(Object.assign(new SocketRecord(), rest, { localPort: port }));
  }
}

function newNamespace(): { sample: (dumps: Dumps) => FullSample } {
  const source = new FakeSource();
  const options = samplingOptions({ procfs, sysfs: join(procfs, 'sys'), canary: false });
  const namespace = new SampledNamespace({
    ...{
      source,
      options,
      destinations: new Destinations(),
      canary: undefined,
      conntrack: undefined,
      walkTurns: undefined,
      inside: undefined,
    },
    ownerResolver: new OwnerResolver(options, silentLogger),
  });
  return {
    sample(dumps) {
      source.dumps = dumps;
      return namespace.sample();
    },
  };
}

/** What each collector that failed said. */
function failed(outcomes: FullSample['outcomes']): Record<string, string | undefined> {
  return Object.fromEntries(
    outcomes.flatMap(({ collector, error }) => (error === undefined ? [] : [[collector, error]])),
  );
}

const PAST_HALF = [40000, 40002, 40004, 40006, 40008, 40001];
/** Of those, what is left later: by its parity alone 40001 looks like a port that bind() chose. */
const DRAINED = [40000, 40001];

describe('a dump that breaks off', () => {
  it.each<[string, Dumps]>([
    ['among the listeners', { listeners: [40003, 'dump: EINTR'], connections: [40000] }],
    ['among the connections', { listeners: [40003], connections: [40000, 40002, 'dump: EINTR'] }],
    ['before the first connection', { connections: ['dump: EINTR'] }],
  ])('%s leaves no half sample of TCP, and all of UDP', (_, dumps) => {
    const { results, outcomes, peaks } = newNamespace().sample({ ...dumps, udp: [40005, 40007] });
    const { range, tcp, udp } = results;
    expect(failed(outcomes)).toMatchObject({ tcp: 'dump: EINTR' });
    expect(tcp).toBeUndefined();
    expect(udp).toMatchObject({ sampledSockets: 2, usedPorts: 2, capacity: 8 });
    expect(range).toMatchObject({ first: 40000, last: 40009, reserved: 0, usable: 10 });
    expect(peaks.map(({ protocol, scope, ratio }) => [protocol, scope, ratio.toFixed(3)])).toEqual([
      ['udp', 'connect', '0.200'],
      ['udp', 'bind', '0.200'],
    ]);
  });

  it('of UDP leaves all of TCP', () => {
    const { results, peaks } = newNamespace().sample({ connections: [40000], udp: [40005, 'dump: EINTR'] });
    const { tcp, udp } = results;
    expect(tcp).toMatchObject({ sampledSockets: 1, connect: { available: 9 } });
    expect(udp).toBeUndefined();
    expect(peaks.map(({ protocol }) => protocol)).toEqual(['tcp', 'tcp']);
  });

  it('leaves nothing behind in the next sample', () => {
    const broken = newNamespace();
    broken.sample({ listeners: [40003, 40005], connections: [40000, 40002, 'dump: EINTR'] });
    const { results: next } = broken.sample({ connections: [40004], udp: [40001] });
    expect(next.tcp).toEqual(newNamespace().sample({ connections: [40004] }).results.tcp);
    expect(next.tcp).toMatchObject({ blocked: { listener: 0 }, connect: { available: 9 } });
  });

  it('does not touch what was remembered for the inference', () => {
    const inferredIn = ({ results }: FullSample) => results.tcp?.blocked.inferred;
    const namespace = newNamespace();
    expect(inferredIn(namespace.sample({ connections: PAST_HALF }))).toBe(0);
    expect(inferredIn(namespace.sample({ connections: ['dump: EINTR'] }))).toBeUndefined();
    expect(inferredIn(namespace.sample({ connections: [40000, 'dump: EINTR'] }))).toBeUndefined();
    expect(inferredIn(namespace.sample({ connections: DRAINED }))).toBe(0);
    // Without that memory the port is taken for a blocked one.
    expect(inferredIn(newNamespace().sample({ connections: DRAINED }))).toBe(1);
  });
});

it('without a range there is nothing, and every collector says why', () => {
  rmSync(join(procfs, 'sys/net/ipv4/ip_local_port_range'));
  try {
    const { results, outcomes, peaks } = newNamespace().sample({ connections: [40000], udp: [40001] });
    expect([results, peaks]).toEqual([{}, []]);
    expect(failed(outcomes)).toMatchObject({
      range: expect.stringMatching(
        /^open\(\) of .*\/ip_local_port_range: no such file or directory \(ENOENT\)$/,
      ),
      tcp: 'not sampled: the ephemeral port range is unknown',
      udp: 'not sampled: the ephemeral port range is unknown',
      owners: 'not sampled: no sockets are known',
    });
  } finally {
    writeRange();
  }
});
