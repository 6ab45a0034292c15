import { ExplicitPorts } from '../aggregate/explicitPorts.ts';
import type { PortSet } from '../aggregate/portSet.ts';
import { ExporterError } from '../base/errors.ts';
import type { SocketSource } from '../sockets/source.ts';

/** The walk costs at most this share of the time. */
const MAX_DUTY = 0.01;
const RETRY_MS = 60_000;

/**
 * Finds connections whose port was chosen by number, in one network namespace. The kernel looks at every connection for
 * that once more, so the dearer a walk is the rarer it is made.
 */
export class ExplicitWalk {
  readonly #source: Pick<SocketSource, 'tcpExplicitPorts'>;
  readonly #now: () => number;
  readonly #ports = new ExplicitPorts();
  #dueAtMs = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(source: Pick<SocketSource, 'tcpExplicitPorts'>, now: () => number = () => performance.now()) {
    this.#source = source;
    this.#now = now;
  }

  get isDue(): boolean {
    return this.#source.tcpExplicitPorts !== undefined && this.#now() >= this.#dueAtMs;
  }

  /**
   * Before the connections are walked → what recognises them; undefined where nobody can tell: the source cannot, or the
   * kernel refused, which is asked again later.
   *
   * @param isWanted makes the walk if it is due
   */
  begin(usable: PortSet, isWanted: boolean): ExplicitPorts | undefined {
    const walk = this.#source.tcpExplicitPorts;
    if (walk === undefined) return undefined;
    if (isWanted && this.isDue) this.#walk(usable, walk);
    else this.#ports.begin(usable);
    return this.#hasFailed ? undefined : this.#ports;
  }

  #walk(usable: PortSet, walk: NonNullable<SocketSource['tcpExplicitPorts']>): void {
    const startedAt = this.#now();
    try {
      this.#ports.begin(usable, walk);
      const endedAt = this.#now();
      this.#hasFailed = false;
      this.#dueAtMs = endedAt + (endedAt - startedAt) / MAX_DUTY;
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      this.#hasFailed = true;
      this.#dueAtMs = startedAt + RETRY_MS;
    }
  }
}
