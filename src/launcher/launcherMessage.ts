import type { Announcement } from '../systemd/notifyCommand.ts';

export interface TcpAddress {
  readonly host?: string;
  readonly port: number;
}

/** What node:net failed with, so far as it is told. */
export interface LauncherError {
  readonly message: string;
  /** As libuv counts them: negative. */
  readonly errno: number | undefined;
}

/** What the process that serves asks of the launcher. */
export type LauncherRequest =
  /** `options`: SamplingOptions as text. Answered by `started` and at last `ended`, or by `ended` alone. */
  | { readonly kind: 'start'; readonly id: number; readonly options: string }
  /** By SIGKILL, which also ends what hangs or is stopped. */
  | { readonly kind: 'kill'; readonly id: number }
  /** To the service manager, in the name of the process that serves. Answered by `notified`. */
  | { readonly kind: 'notify'; readonly id: number; readonly announcement: Announcement }
  /** On a port below net.ipv4.ip_unprivileged_port_start, which takes CAP_NET_BIND_SERVICE. Answered by `listening`, with the socket unless there is an error. */
  | { readonly kind: 'listen'; readonly id: number; readonly address: TcpAddress }
  /** All of them, and then itself. */
  | { readonly kind: 'end' };

/** What the launcher says. */
export type LauncherNews =
  /** It hears what it is asked. */
  | { readonly kind: 'ready' }
  /** With it comes the socket on which the sampler speaks. */
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  /** `how` completes a sentence: `exited with code 1`. */
  | { readonly kind: 'ended'; readonly id: number; readonly how: string }
  | { readonly kind: 'listening'; readonly id: number; readonly error: LauncherError | undefined }
  | { readonly kind: 'notified'; readonly id: number; readonly error: string | undefined };
