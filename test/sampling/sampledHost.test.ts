import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { NamespaceGone } from '../../src/namespaces/namespaceSwitcher.ts';
import { ConntrackReader } from '../../src/sampling/conntrackReader.ts';
import { ForeignNamespace } from '../../src/sampling/foreignNamespace.ts';
import type { ForeignOptions } from '../../src/sampling/foreignNamespaces.ts';
import { OwnerResolver } from '../../src/sampling/ownerResolver.ts';
import { SampledHost, type SampledHostOptions } from '../../src/sampling/sampledHost.ts';
import type { SocketSource } from '../../src/sockets/source.ts';
import { samplingOptions } from '../support/samplingOptions.ts';
import { recordingLogger } from './fakes.ts';

let procfs = '';
beforeAll(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-host-'));
  mkdirSync(join(procfs, 'sys/net/ipv4'), { recursive: true });
  writeFileSync(join(procfs, 'sys/net/ipv4/ip_local_port_range'), '40000\t40009\n');
  mkdirSync(join(procfs, 'net'));
  // Every namespace has so many sockets that it is read whole.
  writeFileSync(join(procfs, 'net/sockstat'), 'sockets: used 9\nTCP: inuse 4 tw 0\nUDP: inuse 0 mem 0\n');
});
afterAll(() => rmSync(procfs, { recursive: true }));

const SOURCE: SocketSource = {
  kind: 'netlink',
  sees: { boundOnly: true, cgroups: false, ipv6Only: true },
  openAnother: () => SOURCE,
  ...{
    tcpListeners() {},
    tcpConnections() {},
    tcpExplicitPorts: undefined,
    tcpBinds: undefined,
    beginRound: undefined,
    openElsewhere: undefined,
    holdersOf: undefined,
    readSysctls: undefined,
    udp() {},
    close() {},
    deviceName: String,
  },
};
const UNNAMED = { process: '', container: '', podUid: '' };

/** What happens at each entry into a namespace, in turn; nothing happens after the last. */
type Entries = Readonly<Record<string, readonly (Error | undefined)[]>>;

function newHost(
  entries: Entries,
  others?: SampledHostOptions['others'],
  refresh: () => string[] = () => [],
): SampledHost {
  const options = samplingOptions({
    ...{ peakWindowMs: 1000, procfs, sysfs: procfs, canary: false, namespaces: 'all' },
  });
  const members = Object.keys(entries).map(
    (name, inode) =>
      new ForeignNamespace({ inode, path: name, pid: undefined, name }, { ...UNNAMED, netns: name, inode }),
  );
  const entered = new Map<string, number>();
  const switcher = {
    run<T>({ path }: { path: string }, act: () => T): T {
      const turn = entered.get(path) ?? 0;
      entered.set(path, turn + 1);
      const error = entries[path]?.[turn];
      if (error !== undefined) throw error;
      return act();
    },
    close() {},
  };
  const registry = { members, size: members.length, refresh, close() {} };
  return new SampledHost({
    options,
    own: { ...UNNAMED, netns: 'host', inode: 99 },
    source: SOURCE,
    ownerResolver: new OwnerResolver(options, recordingLogger().log),
    others: others ?? ({ switcher, registry } as unknown as ForeignOptions),
    newCanary: undefined,
    conntrack: new ConntrackReader(recordingLogger().log),
    cpuTime: () => performance.now(),
  });
}

/** Names and details of one round, the own namespace first. */
function seenBy(host: SampledHost): (readonly [string, string, string | undefined])[] {
  return host
    .sample()
    .namespaces.map(({ netns, detail, outcomes }) => [
      netns,
      detail,
      outcomes.find(({ error }) => error !== undefined)?.error,
    ]);
}

const HOST = ['host', 'full', undefined];
const GONE = new NamespaceGone('gone');

it('a namespace that vanishes half-way is dropped from the sample whole, and may be there in the next', () => {
  const host = newHost({ survey: [GONE], dump: [undefined, GONE], stays: [] });
  expect(seenBy(host)).toEqual([HOST, ['stays', 'full', undefined]]);
  expect(seenBy(host)).toEqual([
    HOST,
    ...['survey', 'dump', 'stays'].map((name) => [name, 'full', undefined]),
  ]);
});

it('one that cannot be entered says so, and harms no other', () => {
  const refused = new ExporterError('refused');
  const host = newHost({ survey: [refused], dump: [undefined, refused], stays: [] });
  expect(seenBy(host)).toEqual([
    HOST,
    ['survey', 'estimated', 'refused'],
    ['dump', 'estimated', 'refused'],
    ['stays', 'full', undefined],
  ]);
  expect(seenBy(host).map(([, , error]) => error)).toEqual([undefined, undefined, undefined, undefined]);
});

it('a defect is nobody’s failure', () => {
  const defect = new Error('returning to the own network namespace: setns(): EPERM');
  expect(() => newHost({ blue: [defect] }).sample()).toThrow(defect);
});

it('what keeps others out of sight is a failure of the own namespace to enter them', () => {
  expect(seenBy(newHost({}, 'no privilege'))).toEqual([['host', 'full', 'no privilege']]);
  const obstructed = newHost({ blue: [] }, undefined, () => ['one', 'two']);
  expect(seenBy(obstructed)).toEqual([
    ['host', 'full', 'some network namespaces are unknown: one; two'],
    ['blue', 'full', undefined],
  ]);
  const blind = newHost({ blue: [] }, undefined, () => {
    throw new ExporterError('reading the directory /proc: EMFILE');
  });
  expect(seenBy(blind)).toEqual([
    ['host', 'full', 'reading the directory /proc: EMFILE'],
    ['blue', 'full', undefined],
  ]);
});

it('every namespace has an outcome of entering it', () => {
  for (const { outcomes } of newHost({ blue: [] }).sample().namespaces) {
    expect(outcomes.filter(({ collector }) => collector === 'enter')).toHaveLength(1);
  }
});
