import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { createLogger } from '../../src/base/logger.ts';
import { chooseSource, type Openers } from '../../src/sockets/chooseSource.ts';
import type { SocketSource, SourceKind } from '../../src/sockets/source.ts';

const refusals = [
  new ExporterError('loading the FFI library koffi', { cause: new Error("Cannot find module 'koffi'") }),
  new KernelError('socket()', constants.errno.EACCES),
  new ExporterError('dump of bound TCP sockets', {
    cause: new KernelError('the kernel answers', constants.errno.ENOENT),
  }),
];

describe('auto', () => {
  it('takes netlink and says so in one line', () => {
    const { source, lines } = choose('auto', {});
    expect(source.kind).toBe('netlink');
    expect(lines).toEqual([expect.stringMatching(/level=info .*source=netlink bound_only_sockets=seen/)]);
  });

  it.each(refusals)('falls back to procfs with one warning that has the reason: $message', (refusal) => {
    const { source, lines } = choose('auto', { netlink: () => raise(refusal) });
    expect(source.kind).toBe('procfs');
    const warnings = lines.filter((line) => line.includes('level=warn'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(refusal.message);
    expect(lines.at(-1)).toMatch(/level=info .*source=procfs bound_only_sockets=unknown/);
  });

  it('fails where procfs is refused too', () => {
    const refused = new KernelError('open() of /nowhere/net/tcp', constants.errno.ENOENT);
    const openers = { netlink: () => raise(refusals[1]), procfs: () => raise(refused) };
    expect(() => choose('auto', openers)).toThrow(refused);
  });

  it('does not take a shortage, which passes, for a refusal', () => {
    const short = new ExporterError('opening', {
      cause: new KernelError('socket()', constants.errno.EMFILE),
    });
    expect(() => choose('auto', { netlink: () => raise(short) })).toThrow(short);
  });

  it('does not take a defect for a refusal', () => {
    const defect = new TypeError('undefined is not a function');
    expect(() => choose('auto', { netlink: () => raise(defect) })).toThrow(defect);
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
    const procfs = (path: string) => {
      paths.push(path);
      return fakeSource('procfs');
    };
    choose('procfs', { procfs });
    expect(paths).toEqual(['/host/proc']);
  });
});

function choose(wanted: SourceKind | 'auto', openers: Partial<Openers>) {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', format: 'logfmt' }, (line) => lines.push(line));
  const all = { netlink: () => fakeSource('netlink'), procfs: () => fakeSource('procfs'), ...openers };
  return { source: chooseSource(wanted, '/host/proc', log, all), lines };
}

function fakeSource(kind: SourceKind): SocketSource {
  const nothing = () => {};
  const walks = {
    tcpListeners: nothing,
    tcpConnections: nothing,
    tcpExplicitPorts: undefined,
    udp: nothing,
    close: nothing,
    deviceName: String,
  };
  const isNetlink = kind === 'netlink';
  const sees = { boundOnly: isNetlink, cgroups: isNetlink, ipv6Only: isNetlink };
  return { kind, sees, openAnother: () => fakeSource(kind), ...walks };
}

function raise(thrown: unknown): never {
  throw thrown;
}
