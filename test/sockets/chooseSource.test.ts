import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/base/createLogger.ts';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { chooseSource, type Openers } from '../../src/sockets/chooseSource.ts';
import type { SocketSource, SourceKind, SourceOptions } from '../../src/sockets/source.ts';

const refusals = [
  new ExporterError('loading the FFI library koffi', { cause: new Error("Cannot find module 'koffi'") }),
  new KernelError('socket()', constants.errno.EACCES),
  new ExporterError('dump of bound TCP sockets', {
    cause: new KernelError('the kernel answers', constants.errno.ENOENT),
  }),
];

describe('auto', () => {
  const withoutBpf = { bpf: () => raise(new ExporterError('needs CAP_BPF')) };

  it('takes BPF and says so in one line', () => {
    const { source, lines } = choose('auto', {});
    expect(source.kind).toBe('bpf');
    expect(lines).toEqual([expect.stringMatching(/level=info .*source=bpf bound_only_sockets=seen\n$/)]);
  });

  it('takes netlink where BPF is refused, and says both in one line', () => {
    const { source, lines } = choose('auto', withoutBpf);
    expect(source.kind).toBe('netlink');
    expect(lines).toEqual([
      expect.stringMatching(
        /level=info .*source=netlink bound_only_sockets=seen bpf_unavailable="needs CAP_BPF"\n$/,
      ),
    ]);
  });

  it.each(refusals)('falls back to procfs with one warning that has the reason: $message', (refusal) => {
    const { source, lines } = choose('auto', { ...withoutBpf, netlink: () => raise(refusal) });
    expect(source.kind).toBe('procfs');
    const warnings = lines.filter((line) => line.includes('level=warn'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(refusal.message);
    expect(lines.at(-1)).toMatch(/level=info .*source=procfs bound_only_sockets=unknown bpf_unavailable=/);
  });

  it('fails where procfs is refused too', () => {
    const refused = new KernelError('open() of /nowhere/net/tcp', constants.errno.ENOENT);
    const openers = { ...withoutBpf, netlink: () => raise(refusals[1]), procfs: () => raise(refused) };
    expect(() => choose('auto', openers)).toThrow(refused);
  });

  it('does not take a shortage, which passes, for a refusal', () => {
    const short = new ExporterError('opening', {
      cause: new KernelError('socket()', constants.errno.EMFILE),
    });
    expect(() => choose('auto', { ...withoutBpf, netlink: () => raise(short) })).toThrow(short);
    expect(() => choose('auto', { bpf: () => raise(short) })).toThrow(short);
  });

  it('does not take a defect for a refusal', () => {
    const defect = new TypeError('undefined is not a function');
    expect(() => choose('auto', { bpf: () => raise(defect) })).toThrow(defect);
    expect(() => choose('auto', { ...withoutBpf, netlink: () => raise(defect) })).toThrow(defect);
  });
});

describe('a source that was asked for', () => {
  it.each(refusals)('is the only one tried: netlink, refused with $message', (refusal) => {
    const openers = { netlink: () => raise(refusal), procfs: () => raise(new Error('was tried')) };
    expect(() => choose('netlink', openers)).toThrow(refusal);
  });

  it('is the only one tried: procfs', () => {
    const { source, lines } = choose('procfs', { netlink: () => raise(new Error('was tried')) });
    expect(source.kind).toBe('procfs');
    expect(lines).toHaveLength(1);
  });

  it('is read where --path.procfs says', () => {
    const paths: string[] = [];
    const procfs = (options: SourceOptions) => {
      paths.push(options.procfs);
      return fakeSource('procfs');
    };
    choose('procfs', { procfs });
    expect(paths).toEqual(['/host/proc']);
  });
});

function choose(wanted: SourceKind | 'auto', openers: Partial<Openers>) {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', format: 'logfmt' }, (line) => lines.push(line));
  const all = {
    bpf: () => fakeSource('bpf'),
    netlink: () => fakeSource('netlink'),
    procfs: () => fakeSource('procfs'),
    ...openers,
  };
  return { source: chooseSource(wanted, { procfs: '/host/proc', log }, all), lines };
}

function fakeSource(kind: SourceKind): SocketSource {
  const nothing = () => {};
  const walks = {
    tcpListeners: nothing,
    tcpConnections: nothing,
    tcpExplicitPorts: undefined,
    tcpBinds: undefined,
    beginRound: undefined,
    openElsewhere: undefined,
    holdersOf: undefined,
    readSysctls: undefined,
    udp: nothing,
    close: nothing,
    deviceName: String,
  };
  const isWhole = kind !== 'procfs';
  const sees = { boundOnly: isWhole, cgroups: isWhole, ipv6Only: isWhole };
  return { kind, sees, openAnother: () => fakeSource(kind), ...walks };
}

function raise(thrown: unknown): never {
  throw thrown;
}
