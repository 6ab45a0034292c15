import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { NamespaceGone } from '../../../src/namespaces/namespaceSwitcher.ts';
import type { NamespaceContext, Round } from '../../../src/sampling/collectors/collector.ts';
import { conntrackCollector } from '../../../src/sampling/collectors/conntrack.ts';
import { snatCollector } from '../../../src/sampling/collectors/snat.ts';
import { ConntrackReader } from '../../../src/sampling/conntrackReader.ts';
import { encodeEntry } from '../../conntrack/encode.ts';
import {
  datagram,
  done,
  FakeNetlink,
  NLM_F_DUMP_FILTERED,
  NLM_F_DUMP_INTR,
  refusal,
} from '../../kernel/fakeNetlink.ts';
import { samplingOptions } from '../../support/samplingOptions.ts';

const snatPorts = [{ name: 'any', first: 2000, last: 2007 }];
const ENTRY = encodeEntry({
  original: { source: '10.0.0.5', destination: '192.0.2.1', sourcePort: 40_000, destinationPort: 443 },
  reply: { source: '192.0.2.1', destination: '198.51.100.1', sourcePort: 443, destinationPort: 2000 },
  ...{ protocol: 6, status: 0x10, tcpState: 3 },
});

const OF_OTHER_ADDRESS = encodeEntry({
  original: { source: '10.0.0.5', destination: '192.0.2.1', sourcePort: 40_001, destinationPort: 443 },
  reply: { source: '192.0.2.1', destination: '198.51.100.2', sourcePort: 443, destinationPort: 2000 },
  ...{ protocol: 6, status: 0x10, tcpState: 3 },
});

/** What a dump finds, with the flags of each of its messages, the last for every further one; how often one was made. */
function namespaceWith(changes: Partial<NamespaceContext> = {}) {
  const kernel = { opened: 0, dumps: 0, errno: 0, flags: [2], payloads: [ENTRY] };
  const open = () => {
    kernel.opened++;
    return new FakeNetlink(({ sequence }) => {
      kernel.dumps++;
      const { errno, flags, payloads } = kernel;
      if (errno !== 0) return [datagram(refusal(sequence, errno))];
      const messages = payloads.map((payload, nth) => ({
        ...{ type: 0x100, sequence, payload },
        flags: flags[Math.min(nth, flags.length - 1)] ?? 2,
      }));
      return [datagram(...messages, done(sequence))];
    });
  };
  const context = {
    options: samplingOptions({ snatPorts }),
    conntrack: new ConntrackReader(silentLogger, open),
    ...changes,
  } as NamespaceContext;
  const opened = snatCollector.open(context);
  const collect = (entries: number) =>
    opened?.collect({ results: { conntrack: { entries, limit: 100, totals: undefined } }, ports: {} });
  return { kernel, context, opened, collect };
}

it('walks nothing where the entries cannot fill a quarter of the range', () => {
  const { kernel, collect } = namespaceWith();
  expect([collect(0), collect(1)]).toEqual([undefined, undefined]);
  expect(kernel.dumps).toBe(0);
  // Addresses first, then the ports on them; from then on once.
  expect(collect(2)).toMatchObject({ tcp: { ratio: 1 / 8, available: 7, peakRatio: 1 / 8 }, rangePorts: 8 });
  expect(kernel.dumps).toBe(2);
  expect(collect(2)).toMatchObject({ destinations: { total: 1 } });
  expect(kernel.dumps).toBe(3);
  expect(collect(1)).toBeUndefined();
});

it('looks rarely where there is no NAT', () => {
  const { kernel, collect } = namespaceWith();
  kernel.payloads = [];
  expect([collect(9), collect(9), collect(9)]).toEqual([undefined, undefined, undefined]);
  expect(kernel.dumps).toBe(1);
});

it('fails where a walk is interrupted, and not the next time', () => {
  const { kernel, collect } = namespaceWith();
  kernel.flags = [2 | NLM_F_DUMP_INTR];
  expect(() => collect(9)).toThrow('NLM_F_DUMP_INTR');
  kernel.flags = [2];
  expect(collect(9)).toMatchObject({ tcp: { available: 7 } });
});

it('forgets what a walk has met that was not whole: the next one overlooks no NAT address', () => {
  const { kernel, collect } = namespaceWith();
  kernel.flags = [2, 2 | NLM_F_DUMP_FILTERED];
  kernel.payloads = [ENTRY, OF_OTHER_ADDRESS];
  for (let nth = 0; nth < 2; nth++) expect(() => collect(9)).toThrow('NLM_F_DUMP_FILTERED');
  kernel.flags = [2];
  expect(collect(9)).toMatchObject({ destinations: { total: 2 } });
});

it('is refused without the privilege, and has nothing then', () => {
  const { kernel, collect } = namespaceWith();
  expect(collect(9)).toMatchObject({ tcp: { available: 7 } });
  kernel.errno = constants.errno.EPERM;
  expect([collect(9), collect(9)]).toEqual([undefined, undefined]);
  kernel.errno = 0;
  kernel.payloads = [OF_OTHER_ADDRESS];
  expect(collect(9)).toMatchObject({ destinations: { total: 1 } });
});

it('walks nothing in 200 namespaces that track nothing, however often they are sampled', () => {
  const namespaces = Array.from({ length: 200 }, () => namespaceWith());
  for (let sample = 0; sample < 10; sample++) for (const { collect } of namespaces) collect(sample % 2);
  expect(namespaces.map(({ kernel }) => kernel.opened).filter((count) => count > 0)).toEqual([]);
  // One that fills up is walked all the same.
  namespaces[100]?.collect(9);
  expect(namespaces.flatMap(({ kernel }, index) => (kernel.opened > 0 ? [index] : []))).toEqual([100]);
});

it('shows the last walk while it is not its turn', () => {
  const walkTurns = { ask: vi.fn(() => true), took: vi.fn() };
  const { kernel, collect } = namespaceWith({ walkTurns } as unknown as Partial<NamespaceContext>);
  const first = collect(9);
  walkTurns.ask.mockReturnValue(false);
  expect(collect(9)).toBe(first);
  expect(kernel.dumps).toBe(2);
  expect(walkTurns.took).toHaveBeenCalledTimes(1);
});

it('has nothing of a namespace that is gone', () => {
  const inside = () => {
    throw new NamespaceGone('gone');
  };
  const { context, collect } = namespaceWith({ inside });
  expect(collect(9)).toBeUndefined();
  expect(conntrackCollector.open(context)?.collect(EMPTY_ROUND)).toBeUndefined();
});

it('is switched off by its limit, and where namespaces cannot be entered', () => {
  const { limits } = samplingOptions();
  expect(
    namespaceWith({ options: samplingOptions({ limits: { ...limits, snat: 0 } }) }).opened,
  ).toBeUndefined();
  const { context, opened } = namespaceWith({ conntrack: undefined });
  expect([opened, conntrackCollector.open(context)]).toEqual([undefined, undefined]);
});

it('counts of other namespaces are read now and then, and each time where they are high', () => {
  const procfs = mkdtempSync(join(tmpdir(), 'port-exporter-conntrack-'));
  onTestFinished(() => rmSync(procfs, { recursive: true }));
  mkdirSync(join(procfs, 'sys/net/netfilter'), { recursive: true });
  const track = (entries: number) =>
    writeFileSync(join(procfs, 'sys/net/netfilter/nf_conntrack_count'), `${entries}\n`);
  let entered = 0;
  const inside = <T>(act: () => T) => {
    entered++;
    return act();
  };
  const { context } = namespaceWith({ inside, options: samplingOptions({ procfs }) });
  const counts = conntrackCollector.open(context);
  const entries = () => counts?.collect(EMPTY_ROUND)?.entries;
  track(5);
  expect([entries(), entries(), entered]).toEqual([5, 5, 1]);
  const busy = conntrackCollector.open(context);
  track(8064);
  expect([busy?.collect(EMPTY_ROUND)?.entries, busy?.collect(EMPTY_ROUND)?.entries, entered]).toEqual([
    8064, 8064, 3,
  ]);
});

const EMPTY_ROUND: Round = { results: {}, ports: {} };
