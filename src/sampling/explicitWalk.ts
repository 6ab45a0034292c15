import { ExplicitPorts } from '../aggregate/explicitPorts.ts';
import type { PortSet } from '../aggregate/portSet.ts';
import { ExporterError } from '../base/errors.ts';
import { isShortage } from '../base/ifReadable.ts';
import type { SocketSource } from '../sockets/source.ts';
import { WalkTurns } from './walkTurns.ts';

const RETRY_MS = 60_000;

/**
 * Finds connections whose port was chosen by number, in one network namespace. The kernel looks at every connection of the
 * host for that once more, so the dearer a walk is the rarer it is made.
 */
export class ExplicitWalk {
  readonly #source: Pick<SocketSource, 'tcpExplicitPorts'>;
  readonly #turns: WalkTurns;
  readonly #now: () => number;
  readonly #ports = new ExplicitPorts();
  #hasWalked = false;
  #refusedUntilMs = Number.NEGATIVE_INFINITY;
  /** The last walk that was wanted succeeded, or none was wanted yet. */
  #isKnown = true;

  /** @param turns among namespaces; by default it has all for itself */
  constructor(
    source: Pick<SocketSource, 'tcpExplicitPorts'>,
    turns?: WalkTurns,
    now: () => number = () => performance.now(),
  ) {
    this.#source = source;
    this.#now = now;
    this.#turns = turns ?? new WalkTurns(now);
  }

  /**
   * Before the connections are walked → what recognises them; undefined where nobody can tell: the source cannot, the
   * kernel refused, which is asked again later, or it was not the turn of this namespace since it was first wanted.
   *
   * Throws an ExporterError where descriptors or memory are short.
   *
   * @param isWanted connections hold usable ports: makes the walk if it is due
   */
  begin(usable: PortSet, isWanted: boolean): ExplicitPorts | undefined {
    const walk = this.#source.tcpExplicitPorts;
    if (walk === undefined) return undefined;
    const isDue = isWanted && this.#now() >= this.#refusedUntilMs && this.#turns.ask(this);
    if (isDue) this.#walk(usable, walk);
    else {
      this.#ports.begin(usable);
      if (isWanted && !this.#hasWalked) this.#isKnown = false;
    }
    return this.#isKnown ? this.#ports : undefined;
  }

  #walk(usable: PortSet, walk: NonNullable<SocketSource['tcpExplicitPorts']>): void {
    const startedAt = this.#now();
    try {
      this.#ports.begin(usable, walk);
      this.#hasWalked = true;
      this.#isKnown = true;
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      this.#isKnown = false;
      // A refusal lasts. A shortage does not, and until then numbers would be too good.
      if (isShortage(error)) throw error;
      this.#refusedUntilMs = startedAt + RETRY_MS;
    }
    this.#turns.took(this, this.#now() - startedAt);
  }
}
