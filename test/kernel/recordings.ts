import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { KernelError } from '../../src/base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../src/kernel/endian.ts';
import { AF_NETLINK, type Libc } from '../../src/kernel/libc.ts';
import {
  RECORDING_VERSION,
  type RecordedAnswer,
  type RecordedDump,
  type RecordingHeader,
  type SocketKind,
} from '../../src/kernel/recording.ts';

export interface Recording {
  readonly header: RecordingHeader;
  readonly answers: readonly RecordedAnswer[];
}

/** Reads a file of --debug.record. Throws where it is none, of another version, or of another byte order. */
export function readRecording(file: string): Recording {
  const [first, ...rest] = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  const header: RecordingHeader = JSON.parse(first ?? '');
  if (header.recording !== 'port-exporter' || header.version !== RECORDING_VERSION) {
    throw new Error(`${file}: version ${header.version}, expected ${RECORDING_VERSION}; ${ANEW}`);
  }
  if (header.littleEndian !== HOST_IS_LITTLE_ENDIAN) throw new Error(`${file}: of another byte order`);
  return { header, answers: rest.map((line): RecordedAnswer => JSON.parse(line)) };
}

const ANEW = 'record anew: npm run record:kernels';

/** A new directory that looks like /proc did to the exporter, which runs in the host's namespace. To be removed. */
export function procfsOf({ answers }: Recording): string {
  const root = mkdtempSync(join(tmpdir(), 'port-exporter-recording-'));
  const write = (path: string, make: (path: string) => void) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    make(join(root, path));
  };
  for (const answer of answers) {
    if (answer.kind !== 'text' || answer.content === null) continue;
    const { path, content } = answer;
    if (path.split('/').includes('..')) throw new Error(`${path} is outside of /proc`);
    write(path, (at) => writeFileSync(at, content, 'latin1'));
  }
  for (const process of ['1', 'self', 'thread-self']) {
    write(`${process}/ns/net`, (at) => symlinkSync('net:[4026531840]', at));
  }
  return root;
}

/**
 * The kernel of a recording, as the C library shows it. What it was asked is found by the bytes of the request, sequence
 * number aside, or of the address; asked again, it answers what it did next, or last. Throws an Error, which is a defect
 * to the exporter, for anything it was never asked.
 */
export class RecordedLibc implements Libc {
  readonly #kernel: string;
  readonly #answers = new Map<string, RecordedAnswer[]>();
  readonly #sockets = new Map<number, SocketKind & { queue: RecordedDump['answers'][number][] }>();
  #lastFd = 1000;

  constructor({ header, answers }: Recording) {
    this.#kernel = header.kernel;
    for (const answer of answers) {
      const key = keyOf(answer);
      this.#answers.set(key, [...(this.#answers.get(key) ?? []), answer]);
    }
  }

  socket(domain: number, type: number, protocol: number): number {
    const refused = this.#answers.get(keyOf({ kind: 'socket', domain, type, protocol }))?.[0];
    if (refused?.kind === 'socket') throw refusal('socket()', refused.errno);
    this.#sockets.set(++this.#lastFd, { domain, type, protocol, queue: [] });
    return this.#lastFd;
  }

  /** Not recorded: as on a kernel that cannot be asked. */
  connect(): never {
    throw new KernelError('connect()', constants.errno.EOPNOTSUPP);
  }

  bind(fd: number, address: Uint8Array): void {
    const { domain, type, protocol } = this.#socketOf(fd);
    const asked = { kind: 'bind', domain, type, protocol, address: hex(address) } as const;
    const answer = this.#answerTo(keyOf(asked), `bind() to ${asked.address}`);
    if (answer.kind === 'bind' && answer.errno !== null) throw refusal('bind()', answer.errno);
  }

  setsockopt(): void {}

  send(fd: number, bytes: Uint8Array): number {
    const { domain, protocol, queue } = this.#socketOf(fd);
    if (domain !== AF_NETLINK) throw new Error('send() to anything but netlink is in no recording');
    const request = hex(bytes);
    const answer = this.#answerTo(
      keyOf({ kind: 'dump', protocol, request }),
      `netlink protocol ${protocol}, request ${request}`,
    );
    if (answer.kind !== 'dump') return bytes.length;
    const from = sequenceOf(Buffer.from(answer.request, 'hex'));
    queue.push(
      ...answer.answers.map((one) =>
        typeof one === 'string' ? renumbered(one, from, sequenceOf(bytes)) : one,
      ),
    );
    return bytes.length;
  }

  sendto(): number {
    throw new Error('sendto() is in no recording');
  }

  recv(fd: number, into: Uint8Array): number {
    const next = this.#socketOf(fd).queue.shift() ?? { errno: 'EAGAIN' };
    if (typeof next !== 'string') throw refusal('recv()', next.errno);
    const bytes = Buffer.from(next, 'hex');
    into.set(bytes.subarray(0, into.length));
    return bytes.length;
  }

  setns(): void {
    throw new Error('setns() is in no recording');
  }

  close(fd: number): void {
    this.#sockets.delete(fd);
  }

  #socketOf(fd: number) {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) throw new Error(`no socket has descriptor ${fd}`);
    return socket;
  }

  #answerTo(key: string, asked: string): RecordedAnswer {
    const answers = this.#answers.get(key) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer !== undefined) return answer;
    throw new Error(`the recorded kernel ${this.#kernel} was never asked this (${ANEW}): ${asked}`);
  }
}

/** What was asked, without what was answered. */
type Question = RecordedAnswer extends infer Answer
  ? Answer extends RecordedAnswer
    ? Omit<Answer, 'errno' | 'answers' | 'content'>
    : never
  : never;

function keyOf(question: Question): string {
  switch (question.kind) {
    case 'text':
      return `text ${question.path}`;
    case 'dump': {
      // struct nlmsghdr: length, type and flags, 8 bytes, then the sequence number, 4.
      const { protocol, request } = question;
      return `dump ${protocol} ${request.slice(0, 16)} ${request.slice(24)}`;
    }
    case 'socket':
      return `socket ${question.domain} ${question.type} ${question.protocol}`;
    case 'bind':
      return `bind ${question.domain} ${question.type} ${question.protocol} ${question.address}`;
  }
}

/** The datagram, its messages that had sequence number `from` with number `to`. */
function renumbered(datagram: string, from: number, to: number): string {
  const bytes = Buffer.from(datagram, 'hex');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset + 16 <= bytes.length; ) {
    if (view.getUint32(offset + 8, HOST_IS_LITTLE_ENDIAN) === from) {
      view.setUint32(offset + 8, to, HOST_IS_LITTLE_ENDIAN);
    }
    offset += Math.max(16, (view.getUint32(offset, HOST_IS_LITTLE_ENDIAN) + 3) & ~3);
  }
  return bytes.toString('hex');
}

function sequenceOf(request: Uint8Array): number {
  return new DataView(request.buffer, request.byteOffset).getUint32(8, HOST_IS_LITTLE_ENDIAN);
}

function refusal(call: string, code: string): KernelError {
  const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1];
  return new KernelError(call, errno ?? Number(code.replace('errno ', '')));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
