import type { ConntrackRecord, ConntrackTuple } from '../conntrack/record.ts';
import { ConntrackStatus } from '../conntrack/record.ts';
import { isDestination, isSource, writeSource } from '../conntrack/tuple.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../kernel/libc.ts';
import type { Family } from '../sockets/record.ts';
import { ADDRESS_WORDS, addressWords, formatAddress } from './address.ts';
import { KeyTable } from './keyTable.ts';
import type { SnatDestination } from './snat.ts';
import { isEvictable, type SnatKey, stateOf } from './snatKeys.ts';
import { portCount, type SnatPorts } from './snatPorts.ts';
import { Held, refusalRatio } from './snatRefusals.ts';
import { spreadRefusalRatio } from './snatSpread.ts';

/** By state, as in a SnatDestination. */
export type SnatStates = SnatDestination['used'];

/** Who holds ports of a NAT address towards a destination. */
export interface SnatHolder extends SnatStates {
  /** Whose address it is; of an inbound connection, who answers it. */
  readonly address: string;
  /** The destination has connected to the NAT address: its source port is the destination's. */
  readonly isInbound: boolean;
  readonly ports: number;
}

/** One destination behind a NAT: all of it from one walk. */
export interface SnatExplained
  extends SnatKey,
    Pick<SnatDestination, 'used' | 'available' | 'ratio' | 'refusalRatio'> {
  /** The range that is assumed. */
  readonly first: number;
  readonly last: number;
  /** What `refusalRatio` would be with the used ports scattered over the range. */
  readonly spreadRefusalRatio: number;
  /** Most ports first; every used port is one holder's. */
  readonly holders: readonly SnatHolder[];
  /** Ports of translated connections, and of these the ones that are the client's own port. */
  readonly translated: number;
  readonly kept: number;
  /** Ports whose TCP connection is closing, or in TIME_WAIT. */
  readonly closing: number;
  /** Free ports from 1024 on that are outside of the range. */
  readonly availableOutside: number;
  /** Of every used port, and of those in TIME_WAIT, until the entry expires; ascending. */
  readonly secondsLeft: readonly number[];
  readonly timeWaitSecondsLeft: readonly number[];
}

/** Of each port what else is to be known of what holds it. */
const CLOSING = 1;
const TRANSLATED = 2;
const KEPT = 4;
/** `TCP_CONNTRACK_FIN_WAIT` to `TCP_CONNTRACK_CLOSE` of `enum tcp_conntrack`. */
const CLOSING_STATES = { first: 4, last: 8 };

const PORTS = 65_536;
const UNPRIVILEGED = 1024;

/** Which ports of one key are held, and by whom: of as many as there are ports, whatever the table holds. */
export class SnatHolders {
  readonly #key: SnatKey;
  readonly #range: SnatPorts;
  readonly #family: Family;
  readonly #protocol: number;
  readonly #nat: readonly number[];
  readonly #remote: readonly number[];
  /** Of each port: bits of `Held`, those above, the seconds left, and the row of who holds it. */
  readonly #held = new Uint8Array(PORTS);
  readonly #more = new Uint8Array(PORTS);
  readonly #seconds = new Uint32Array(PORTS);
  readonly #holder = new Uint32Array(PORTS);
  /** Whether it is inbound, and the address. */
  readonly #holders: KeyTable;

  constructor(key: SnatKey, range: SnatPorts) {
    const remote = addressWords(key.remoteAddress);
    this.#key = key;
    this.#range = range;
    this.#family = remote.family;
    this.#protocol = key.protocol === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
    this.#nat = addressWords(key.natAddress).words;
    this.#remote = remote.words;
    this.#holders = new KeyTable(1 + ADDRESS_WORDS[remote.family]);
  }

  add(record: ConntrackRecord): void {
    if (record.protocol !== this.#protocol || record.family !== this.#family) return;
    const { original, reply } = record;
    if (this.#isOfKey(reply)) this.#hold(record, reply, false);
    if (this.#isOfKey(original)) this.#hold(record, original, true);
  }

  /** After a walk. `evicts`: see `evictsClosing`. */
  summarise(evicts: boolean): SnatExplained {
    const { first, last } = this.#range;
    const count = portCount(this.#range);
    const ports = this.#usedPorts(first, last);
    const used = counted(ports.map((port) => this.#held[port] as number));
    const having = (bit: number) => ports.filter((port) => ((this.#more[port] as number) & bit) !== 0).length;
    const evictable = ports.filter((port) => ((this.#held[port] as number) & Held.FIRM) === 0).length;
    const evictsHere = evicts && this.#protocol === IPPROTO_TCP;
    const outside = range(UNPRIVILEGED, PORTS - 1).filter((port) => port < first || port > last);
    const { protocol, natAddress, remoteAddress, remotePort, zone } = this.#key;
    return {
      ...{ protocol, natAddress, remoteAddress, remotePort, zone, first, last, used },
      available: count - ports.length,
      ratio: ports.length / count,
      refusalRatio: refusalRatio(this.#held.subarray(first, last + 1), count, evictsHere),
      spreadRefusalRatio: spreadRefusalRatio({ count, used: ports.length, evictable }, evictsHere),
      holders: this.#summariseHolders(ports),
      translated: having(TRANSLATED),
      kept: having(KEPT),
      closing: ports.filter(
        (port) =>
          ((this.#held[port] as number) & Held.ESTABLISHED) === 0 &&
          ((this.#more[port] as number) & CLOSING) !== 0,
      ).length,
      availableOutside: outside.filter((port) => this.#held[port] === 0).length,
      secondsLeft: this.#secondsOf(ports),
      timeWaitSecondsLeft: this.#secondsOf(
        ports.filter((port) => stateName(this.#held[port] as number) === 'timeWait'),
      ),
    };
  }

  #usedPorts(first: number, last: number): number[] {
    return range(first, last).filter((port) => this.#held[port] !== 0);
  }

  #secondsOf(ports: readonly number[]): number[] {
    return ports.map((port) => this.#seconds[port] as number).toSorted((a, b) => a - b);
  }

  #summariseHolders(ports: readonly number[]): SnatHolder[] {
    const bits = Array.from({ length: this.#holders.size }, (): number[] => []);
    for (const port of ports) bits[this.#holder[port] as number]?.push(this.#held[port] as number);
    return bits
      .map((held, row) => ({
        address: formatAddress(this.#holders, row, 1, this.#family),
        isInbound: this.#holders.word(row, 0) === 1,
        ...counted(held),
        ports: held.length,
      }))
      .filter((holder) => holder.ports > 0)
      .toSorted((a, b) => b.ports - a.ports);
  }

  #isOfKey(tuple: ConntrackTuple): boolean {
    const { remotePort, zone } = this.#key;
    return (
      tuple.sourcePort === remotePort &&
      tuple.zone === zone &&
      isSource(tuple, this.#remote) &&
      isDestination(tuple, this.#nat)
    );
  }

  #hold(record: ConntrackRecord, { destinationPort: port }: ConntrackTuple, isInbound: boolean): void {
    const before = this.#held[port] as number;
    const state = stateOf(record);
    // What two entries hold is the holder's whose state says more.
    if (before === 0 || rank(state) > rank(before)) this.#holder[port] = this.#rowOf(record, isInbound);
    this.#held[port] = before | state | (!isInbound && isEvictable(record) ? 0 : Held.FIRM);
    this.#more[port] = (this.#more[port] as number) | moreOf(record, isInbound);
    this.#seconds[port] = Math.max(this.#seconds[port] as number, record.timeoutSeconds);
  }

  #rowOf({ original, reply }: ConntrackRecord, isInbound: boolean): number {
    this.#holders.key[0] = Number(isInbound);
    writeSource(this.#holders.key, 1, isInbound ? reply : original, this.#family);
    return this.#holders.upsert();
  }
}

function moreOf({ status, tcpState, original, reply }: ConntrackRecord, isInbound: boolean): number {
  const isClosing = tcpState >= CLOSING_STATES.first && tcpState <= CLOSING_STATES.last;
  const isTranslated = !isInbound && (status & ConntrackStatus.SRC_NAT) !== 0;
  const isKept = isTranslated && original.sourcePort === reply.destinationPort;
  return (isClosing ? CLOSING : 0) | (isTranslated ? TRANSLATED : 0) | (isKept ? KEPT : 0);
}

function counted(held: readonly number[]): SnatStates {
  const states = { established: 0, timeWait: 0, other: 0 };
  for (const bits of held) states[stateName(bits)]++;
  return states;
}

function stateName(bits: number): keyof SnatStates {
  if ((bits & Held.ESTABLISHED) !== 0) return 'established';
  return (bits & Held.TIME_WAIT) !== 0 ? 'timeWait' : 'other';
}

function rank(bits: number): number {
  return ['other', 'timeWait', 'established'].indexOf(stateName(bits));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
