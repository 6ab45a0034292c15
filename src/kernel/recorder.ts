import { closeSync, openSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ExporterError, errorCode, failureText, KernelError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import { AF_NETLINK, type Libc } from './libc.ts';
import { netDirectory, observeTexts, readProcText } from './procfs.ts';
import { formatRecording, RECORDING_VERSION, type RecordedAnswer, type SocketKind } from './recording.ts';

/** Datagrams and texts together: about 150 000 sockets. They stay in memory until the recording is written. */
const LONGEST_BYTES = 16 * 1024 * 1024;

/** What is in the file. */
export interface SavedRecording {
  readonly file: string;
  readonly kernel: string;
  /** Requests to netlink. */
  readonly dumps: number;
  /** Compressed. */
  readonly bytes: number;
}

/**
 * Records what the kernel says to the calling thread, from the start to `stop`: through the C library that `tap` returns,
 * and through the texts of /proc. It holds addresses, ports, user ids and inode numbers of sockets, and no names.
 */
export class Recorder {
  readonly #file: string;
  readonly #fd: number;
  readonly #procfs: string;
  readonly #limit: number;
  readonly #texts = new Map<string, string | null>();
  readonly #answers: RecordedAnswer[] = [];
  readonly #sockets = new Map<number, OpenSocket>();
  #bytes = 0;
  #isRecording = true;

  /**
   * Creates the file, which must not exist, for its owner alone. Throws an ExporterError where that is refused.
   *
   * @param limit bytes of answers
   */
  constructor(file: string, procfs: string, limit = LONGEST_BYTES) {
    this.#file = file;
    this.#procfs = procfs;
    this.#limit = limit;
    this.#fd = refusing(`creating ${file} for a recording`, () => openSync(file, 'wx', 0o600));
    observeTexts((path, text) => this.#addText(path, text));
  }

  /** The same C library; what it is asked until `stop` is recorded. */
  tap(libc: Libc): Libc {
    return {
      ...libc,
      socket: (domain, type, protocol) => {
        const kind = { domain, type, protocol };
        const fd = this.#telling(
          () => libc.socket(domain, type, protocol),
          (errno) => this.#add({ kind: 'socket', ...kind, errno }),
        );
        this.#sockets.set(fd, { ...kind, answers: [] });
        return fd;
      },
      bind: (fd, address) => {
        const tell = (errno: string | null) => {
          const { domain = 0, type = 0, protocol = 0 } = this.#sockets.get(fd) ?? {};
          this.#add({ kind: 'bind', domain, type, protocol, address: hex(address), errno });
        };
        this.#telling(() => libc.bind(fd, address), tell);
        tell(null);
      },
      send: (fd, bytes, flags) => {
        const socket = this.#sockets.get(fd);
        if (socket?.domain === AF_NETLINK) {
          socket.answers = [];
          const request = hex(bytes);
          this.#add({ kind: 'dump', protocol: socket.protocol, request, answers: socket.answers });
        }
        return this.#telling(
          () => libc.send(fd, bytes, flags),
          (errno) => socket?.answers.push({ errno }),
        );
      },
      recv: (fd, into, flags) => {
        const answers = this.#sockets.get(fd)?.answers;
        const length = this.#telling(
          () => libc.recv(fd, into, flags),
          (errno) => answers?.push({ errno }),
        );
        if (answers !== undefined && this.#count(length)) answers.push(hex(into.subarray(0, length)));
        return length;
      },
      close: (fd) => {
        this.#sockets.delete(fd);
        libc.close(fd);
      },
    };
  }

  /** Ends what is recorded. To be called in the namespace of the sample. */
  stop(): void {
    if (!this.#isRecording) return;
    // What other namespaces are estimated from, and the first to compare dumps with.
    for (const name of ['sockstat', 'sockstat6']) {
      ignoring(() => readProcText(`${netDirectory(this.#procfs)}/${name}`));
    }
    this.#isRecording = false;
    observeTexts(undefined);
  }

  /**
   * Writes the file, once. Throws an ExporterError where that is refused, or the answers were longer than the limit; the
   * file is then no whole recording.
   */
  save(): SavedRecording {
    this.stop();
    try {
      if (this.#bytes > this.#limit) {
        throw new ExporterError(
          `${this.#file} is left empty: the kernel answers exceed ${this.#limit} bytes`,
        );
      }
      const compressed = gzipSync(formatRecording(this.#header(), this.#lines()));
      refusing(`writing ${this.#file}`, () => writeFileSync(this.#fd, compressed));
      const dumps = this.#answers.filter(({ kind }) => kind === 'dump').length;
      return { file: this.#file, kernel: release(), dumps, bytes: compressed.length };
    } finally {
      closeSync(this.#fd);
      this.#answers.length = 0;
    }
  }

  #header() {
    return {
      recording: 'port-exporter',
      version: RECORDING_VERSION,
      exporter: VERSION,
      kernel: release(),
      littleEndian: HOST_IS_LITTLE_ENDIAN,
      recordedAt: new Date().toISOString(),
    } as const;
  }

  #lines(): RecordedAnswer[] {
    const texts = [...this.#texts].map(([path, content]) => ({ kind: 'text', path, content }) as const);
    return [...texts, ...this.#answers];
  }

  #addText(path: string, text: string | undefined): void {
    if (this.#count(text?.length ?? 0)) this.#texts.set(relative(this.#procfs, path), text ?? null);
  }

  #add(answer: RecordedAnswer): void {
    if (this.#count(0)) this.#answers.push(answer);
  }

  /** → whether an answer of so many bytes is to be kept. */
  #count(bytes: number): boolean {
    if (!this.#isRecording) return false;
    this.#bytes += bytes;
    return this.#bytes <= this.#limit;
  }

  /** Tells the errno of a refused call, which stays refused. */
  #telling<T>(call: () => T, tell: (errno: string) => void): T {
    try {
      return call();
    } catch (error) {
      if (error instanceof KernelError && this.#isRecording) tell(error.code);
      throw error;
    }
  }
}

interface OpenSocket extends SocketKind {
  /** To the last request. */
  answers: (string | { readonly errno: string })[];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

function refusing<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    if (errorCode(thrown) === undefined) throw thrown;
    throw new ExporterError(`${what}: ${failureText(thrown)}`);
  }
}

/** A recording without it is as good. */
function ignoring(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
  }
}
