import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { AF_INET, AF_INET6, type Libc, SOCK_STREAM } from '../../src/kernel/libc.ts';
import { NetlinkDumper, openNetlinkSocket } from '../../src/kernel/netlink.ts';
import { readSysctl } from '../../src/kernel/procfs.ts';
import { Recorder } from '../../src/kernel/recorder.ts';
import { sockaddrIn } from '../../src/kernel/sockaddr.ts';
import { type Arrival, datagram, done, FakeNetlink } from './fakeNetlink.ts';
import { procfsOf, RecordedLibc, readRecording } from './recordings.ts';

const directory = mkdtempSync(join(tmpdir(), 'port-exporter-recorder-'));
afterAll(() => rmSync(directory, { recursive: true }));
let made = 0;
const newFile = () => join(directory, `recording${made++}`);

const FREE = sockaddrIn(0x7f000001, 0);
const TAKEN = sockaddrIn(0x7f000002, 0);

/** A kernel without IPv6, with one address that is taken, and with what netlink says. */
function libcOf(answer: (sequence: number, type: number) => readonly Arrival[]): Libc {
  const netlink = new FakeNetlink(({ sequence, type }) => answer(sequence, type));
  return {
    socket(domain) {
      if (domain === AF_INET6) throw new KernelError('socket()', constants.errno.EAFNOSUPPORT);
      return domain;
    },
    bind(_fd, address) {
      if (Buffer.compare(address, TAKEN) === 0) throw new KernelError('bind()', constants.errno.EADDRINUSE);
    },
    connect() {},
    setsockopt() {},
    send(_fd, bytes) {
      netlink.send(bytes);
      return bytes.length;
    },
    sendto: () => 0,
    recv: (_fd, into) => netlink.receive(into),
    setns() {},
    close() {},
  };
}

const MESSAGE = Uint8Array.of(1, 2, 3, 4, 5);

/** Two datagrams, then nothing more to hear, then other datagrams, each to one request. */
function saying(): Libc {
  let asked = 0;
  return libcOf((sequence, type) => {
    asked += 1;
    if (type === 21) return [constants.errno.ENOBUFS];
    const message = { type: 20, sequence, payload: Uint8Array.of(...MESSAGE, asked) };
    return [datagram(message, message), datagram(message, done(sequence))];
  });
}

/** What the exporter's calls come to, each an answer or the message of a refusal. */
function ask(libc: Libc): unknown[] {
  const told = (call: () => unknown) => {
    try {
      return call();
    } catch (error) {
      if (error instanceof ExporterError) return `${error.message} ${error.cause ?? ''}`;
      throw error;
    }
  };
  const dumper = new NetlinkDumper(openNetlinkSocket(libc, 4));
  const dump = (type: number, payload: Uint8Array) => {
    const seen: string[] = [];
    dumper.dump('dump', type, payload, (view, start, end) =>
      seen.push(Buffer.from(view.buffer.slice(start, end)).toString('hex')),
    );
    return seen;
  };
  const inet = () => libc.socket(AF_INET, SOCK_STREAM, 0);
  return [
    told(() => dump(18, Uint8Array.of(1))),
    told(() => dump(18, Uint8Array.of(2))),
    told(() => dump(18, Uint8Array.of(1))),
    told(() => dump(21, Uint8Array.of(1))),
    told(() => libc.bind(inet(), FREE)),
    told(() => libc.bind(inet(), TAKEN)),
    told(() => libc.socket(AF_INET6, SOCK_STREAM, 0)),
  ];
}

it('what was recorded is answered again: datagrams, refusals, and one request twice in its order', () => {
  const file = newFile();
  const recorder = new Recorder(file, '/proc');
  const answers = ask(recorder.tap(saying()));
  const { bytes, dumps } = recorder.save();
  expect(dumps).toBe(4);
  expect(statSync(file).size).toBe(bytes);

  const libc = new RecordedLibc(readRecording(file));
  expect(ask(libc)).toEqual(answers);
  expect(answers).toEqual([
    ['010203040501', '010203040501', '010203040501'],
    ['010203040502', '010203040502', '010203040502'],
    ['010203040503', '010203040503', '010203040503'],
    expect.stringContaining('recv(): no buffer space available (ENOBUFS)'),
    undefined,
    expect.stringContaining('bind(): address already in use (EADDRINUSE)'),
    expect.stringContaining('(EAFNOSUPPORT)'),
  ]);
  // The last answers stand, whatever the sequence numbers are by now.
  expect(ask(libc)[0]).toEqual(answers[2]);
});

it('the texts of /proc are recorded as they are, those that are not there too', () => {
  const root = join(directory, 'proc');
  mkdirSync(join(root, 'sys/net'), { recursive: true });
  writeFileSync(join(root, 'sys/net/known'), '1\t2\n');
  const file = newFile();
  const recorder = new Recorder(file, root);
  readSysctl(root, 'net/known');
  readSysctl(root, 'net/unknown');
  recorder.stop();
  readSysctl(root, 'net/later');
  recorder.save();
  const recording = readRecording(file);
  expect(recording.answers.filter((one) => one.kind === 'text' && !one.path.includes('sockstat'))).toEqual([
    { kind: 'text', path: 'sys/net/known', content: '1\t2\n' },
    { kind: 'text', path: 'sys/net/unknown', content: null },
  ]);
  const copy = procfsOf(recording);
  expect(readSysctl(copy, 'net/known')).toBe('1\t2');
  expect(readSysctl(copy, 'net/unknown')).toBeUndefined();
  rmSync(copy, { recursive: true });
});

it('after its end nothing is recorded, and every call still goes to the kernel', () => {
  const file = newFile();
  const recorder = new Recorder(file, '/proc');
  const libc = recorder.tap(saying());
  recorder.stop();
  expect(ask(libc)).toEqual(ask(saying()));
  recorder.save();
  expect(readRecording(file).answers.filter(({ kind }) => kind !== 'text')).toEqual([]);
});

it('answers beyond the limit are not kept, and the file says so by being empty', () => {
  const file = newFile();
  const recorder = new Recorder(file, '/proc', 2000);
  const libc = recorder.tap(
    libcOf((sequence) => [datagram({ type: 20, sequence, payload: new Uint8Array(1800) }, done(sequence))]),
  );
  const dumper = new NetlinkDumper(openNetlinkSocket(libc, 4));
  for (let times = 0; times < 2; times++) dumper.dump('dump', 18, MESSAGE, () => {});
  expect(() => recorder.save()).toThrow(
    new ExporterError(`${file} is left empty: the kernel answers exceed 2000 bytes`),
  );
  expect(statSync(file).size).toBe(0);
});

it('a recorder whose file cannot be created records nothing', () => {
  const file = newFile();
  writeFileSync(file, '');
  expect(() => new Recorder(file, '/proc')).toThrow(
    new ExporterError(`creating ${file} for a recording: file already exists (EEXIST)`),
  );
});
