/**
 * The format of a recording: gzip of JSON lines. The first is the header, the others are what the kernel said, in the
 * order in which it was asked. Bytes are in hexadecimal, errnos by name.
 */
export interface RecordingHeader {
  readonly recording: 'port-exporter';
  /** Version of this format. */
  readonly version: typeof RECORDING_VERSION;
  readonly exporter: string;
  /** Release by uname(2): `6.12.9+deb13-amd64`. */
  readonly kernel: string;
  /** Byte order of the answers. */
  readonly littleEndian: boolean;
  /** RFC 3339. */
  readonly recordedAt: string;
}

export const RECORDING_VERSION = 1;

export type RecordedAnswer = RecordedText | RecordedDump | RecordedSocket | RecordedBind;

/** A text under /proc as it was read last; null where there is no such file. */
export interface RecordedText {
  readonly kind: 'text';
  /** From the mount point of proc: `sys/net/ipv4/ip_local_port_range`. */
  readonly path: string;
  readonly content: string | null;
}

/** A message to netlink and every datagram received until the next one is sent. */
export interface RecordedDump {
  readonly kind: 'dump';
  readonly protocol: number;
  readonly request: string;
  /** The errno where send() or recv() was refused. */
  readonly answers: readonly (string | { readonly errno: string })[];
}

/** A socket() that was refused; the others are not told. */
export interface RecordedSocket extends SocketKind {
  readonly kind: 'socket';
  readonly errno: string;
}

/** A bind(): null where the kernel permitted it. */
export interface RecordedBind extends SocketKind {
  readonly kind: 'bind';
  readonly address: string;
  readonly errno: string | null;
}

/** The arguments of socket(2). */
export interface SocketKind {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

/** The text of a recording, not yet compressed. */
export function formatRecording(header: RecordingHeader, answers: Iterable<RecordedAnswer>): string {
  return [header, ...answers].map((line) => `${JSON.stringify(line)}\n`).join('');
}
