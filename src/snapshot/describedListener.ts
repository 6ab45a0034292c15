import type { Listener } from '../aggregate/listeners.ts';
import type { Protocol } from './protocol.ts';

/** A listener and who it is. A text that is not known is ''. */
export interface DescribedListener extends Omit<Listener, 'sockets'> {
  readonly protocol: Protocol;
  /** By /etc/services. */
  readonly service: string;
  readonly process: string;
  readonly pid: number | undefined;
  readonly user: string;
  /** Systemd unit, container, pod or cgroup path that opened the socket. */
  readonly owner: string;
}
