import type { ConntrackRecord } from '../conntrack/record.ts';
import { fullest } from './fullest.ts';
import { type SnatClient, type SnatKey, SnatKeys } from './snatKeys.ts';
import { type AssumedPorts, portCount } from './snatPorts.ts';
import { Held, refusalRatio } from './snatRefusals.ts';

/** One destination behind a NAT. */
export interface SnatDestination extends SnatKey {
  /** Ports of the range it holds. */
  readonly used: { readonly established: number; readonly timeWait: number; readonly other: number };
  readonly available: number;
  /** Used ports of all of the range. */
  readonly ratio: number;
  /** Share of new packets that find no port. */
  readonly refusalRatio: number;
}

/** The worst of all destinations of one protocol; of none the best there is. */
export interface SnatRegime {
  readonly ratio: number;
  readonly available: number;
  readonly refusalRatio: number;
  /** Destinations seen. */
  readonly destinations: number;
}

/** One that is exported. */
export interface FullSnatDestination extends SnatDestination {
  /** Who holds most of its ports, most first. */
  readonly clients: readonly SnatClient[];
}

export interface SnatNumbers {
  readonly tcp: SnatRegime;
  readonly udp: SnatRegime;
  /** Ports of the range that is assumed for every address that has none of its own. */
  readonly rangePorts: number;
  readonly destinations: { readonly total: number; readonly fullest: readonly FullSnatDestination[] };
}

/** From this share of its range on a destination is looked at closely: below it next to nothing can be refused. */
export const CLOSE_LOOK = 0.25;
/**
 * Destinations of a family that are looked at closely at most, the fullest: each takes a millisecond, and of a small range
 * whoever sends packets fills as many as they like.
 */
const CLOSE_LOOKS = 256;

/** Clients of a destination. */
export const CLIENTS_TOLD = 3;

/** Ports that sources of connections were translated to: one network namespace's, from walk to walk. */
export class SnatTables {
  readonly #assumed: AssumedPorts;
  readonly #families: readonly [SnatKeys, SnatKeys];

  constructor(assumed: AssumedPorts) {
    this.#assumed = assumed;
    this.#families = [new SnatKeys(4, assumed), new SnatKeys(6, assumed)];
  }

  /** Whether so many entries can fill enough of the range, of any destination, to be worth a walk. */
  isWorthIt(entries: number): boolean {
    return entries >= CLOSE_LOOK * this.#assumed.fewest;
  }

  /** Before each walk, of about that many entries. */
  begin(entries = 0): void {
    for (const keys of this.#families) keys.begin(entries);
  }

  /** NAT addresses that the walk has met. */
  get addresses(): number {
    return this.#families[0].addresses + this.#families[1].addresses;
  }

  add(record: ConntrackRecord): void {
    this.#families[record.family === 4 ? 0 : 1].add(record);
  }

  /** After a walk, and before the next begins. `evicts`: see `evictsClosing`. */
  summarise(limit: number, evicts: boolean): SnatNumbers {
    const looked: LookedAt[] = [];
    const totals = { tcp: 0, udp: 0 };
    for (const keys of this.#families) {
      const rows: number[] = [];
      for (let row = 0; row < keys.size; row++) if (keys.isCurrent(row)) rows.push(row);
      for (const row of rows) totals[keys.isUdp(row) ? 'udp' : 'tcp']++;
      for (const row of closeOnes(keys, rows, limit))
        looked.push({ keys, row, destination: destinationOf(keys, row, evicts) });
    }
    const destinations = looked.map(({ destination }) => destination);
    return {
      tcp: this.#worst(destinations, 'tcp', totals),
      udp: this.#worst(destinations, 'udp', totals),
      rangePorts: portCount(this.#assumed.everyOther),
      destinations: { total: totals.tcp + totals.udp, fullest: exported(looked, limit) },
    };
  }

  #worst(
    all: readonly SnatDestination[],
    protocol: SnatKey['protocol'],
    totals: Readonly<Record<SnatKey['protocol'], number>>,
  ): SnatRegime {
    const own = all.filter((one) => one.protocol === protocol);
    const unused = portCount(this.#assumed.everyOther);
    return {
      ratio: own.reduce((worst, { ratio }) => Math.max(worst, ratio), 0),
      available: own.reduce(
        (least, { available }) => Math.min(least, available),
        own[0]?.available ?? unused,
      ),
      refusalRatio: own.reduce((worst, one) => Math.max(worst, one.refusalRatio), 0),
      destinations: totals[protocol],
    };
  }
}

/** One of the keys of a family. */
interface LookedAt {
  readonly keys: SnatKeys;
  readonly row: number;
  readonly destination: SnatDestination;
}

/** The fullest, fullest first, and the one that refuses most in any case: it need not be among them. */
function exported(looked: LookedAt[], limit: number): FullSnatDestination[] {
  looked.sort(
    ({ destination: a }, { destination: b }) => b.ratio - a.ratio || b.refusalRatio - a.refusalRatio,
  );
  const shown = looked.slice(0, limit);
  const refusalOf = ({ destination }: LookedAt) => destination.refusalRatio;
  const worst = looked.reduce(
    (most, one) => (refusalOf(one) > refusalOf(most) ? one : most),
    looked[0] as LookedAt,
  );
  if (shown.length > 0 && !shown.includes(worst)) shown[shown.length - 1] = worst;
  return shown.map(({ keys, row, destination }) => ({
    ...destination,
    clients: keys.clients(row, CLIENTS_TOLD),
  }));
}

/** Those that may hold a quarter of their range, and the fullest of each protocol: a regime is as bad as its worst. */
function closeOnes(keys: SnatKeys, rows: readonly number[], limit: number): Set<number> {
  const share = (row: number) => keys.atMost(row) / portCount(keys.ports(row));
  const full = rows.filter((row) => share(row) >= CLOSE_LOOK);
  const nearest = fullest(CLOSE_LOOKS, full.length, (at) => share(full[at] as number));
  const close = new Set(nearest.map((index) => full[index] as number));
  const ofProtocol = (isUdp: boolean) => rows.filter((row) => keys.isUdp(row) === isUdp);
  for (const own of [rows, ofProtocol(false), ofProtocol(true)]) {
    const wanted = own === rows ? limit : 1;
    for (const index of fullest(wanted, own.length, (at) => share(own[at] as number)))
      close.add(own[index] as number);
  }
  return close;
}

/** Of each port of the range of the destination that is looked at. */
const held = new Uint8Array(65_536);

function destinationOf(keys: SnatKeys, row: number, evicts: boolean): SnatDestination {
  const count = portCount(keys.ports(row));
  keys.fill(row, held);
  const used = { established: 0, timeWait: 0, other: 0 };
  for (let index = 0; index < count; index++) {
    const bits = held[index] as number;
    if (bits === 0) continue;
    if ((bits & Held.ESTABLISHED) !== 0) used.established++;
    else if ((bits & Held.TIME_WAIT) !== 0) used.timeWait++;
    else used.other++;
  }
  const total = used.established + used.timeWait + used.other;
  return {
    ...keys.describe(row),
    used,
    available: count - total,
    ratio: total / count,
    refusalRatio: refusalRatio(held, count, evicts && !keys.isUdp(row)),
  };
}
