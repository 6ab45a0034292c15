import type { SnatExplained } from '../aggregate/snatHolders.ts';
import { percent } from '../base/quantities.ts';
import type { TrackedCounts } from '../snapshot/trackedCounts.ts';
import { TIME_WAIT_MS } from '../sockets/record.ts';

/** Something that would give a destination behind a NAT more ports, or its packets a better chance to find one. */
export interface SnatRemedy {
  /** What programs know it by. */
  readonly remedy: string;
  /** Ports that would be free, by this remedy alone; undefined where it frees none and helps all the same. */
  readonly freesPorts?: number;
  /** Share of new packets that would find no port. */
  readonly refusalRatio?: number;
  readonly action: string;
  /** Whose connections. */
  readonly client?: string;
  /** What brings it about, as words for a shell in the namespace. */
  readonly command?: readonly string[];
}

/** Where ports are taken at random as many are the client's own by chance: less than one in a hundred of most ranges. */
const KEPT_BY_THE_RULE = 0.1;
/** Below this share nobody notices. */
const NOTICED = 0.0005;
/** From this share of the table on it is what to look at. */
const NEARLY_FULL = 0.9;
const TIME_WAIT_SECONDS = [60, 30];
/** TCP_TIMEWAIT_LEN of the kernel, which a destination may have as well: it may not accept the same port sooner. */
const OWN_TIME_WAIT = TIME_WAIT_MS / 1000;
const CLIENTS_SHOWN = 3;
/** A client's connections are many from this share of the range on. */
const MANY = 0.01;
/** What the kernel takes without a range in the rule. */
const WIDEST = { first: 1024, last: 65_535 } as const;

/** Whether somebody notices that such a share of new packets is dropped. */
export function isNoticed(refusalRatio: number): boolean {
  return refusalRatio >= NOTICED;
}

/** Whether the rule seems to keep the ports of clients. */
export function keepsPorts({ kept, translated }: SnatExplained): boolean {
  return kept > 0 && kept >= KEPT_BY_THE_RULE * translated;
}

export function isTableFull({ entries, limit }: Pick<TrackedCounts, 'entries' | 'limit'>): boolean {
  return limit !== undefined && entries >= NEARLY_FULL * limit;
}

/** Which remedies apply here: first those that free no port, then the one that frees most. What would help nobody is left out. */
export function snatRemedies(
  explained: SnatExplained,
  { entries, limit, timeWaitSeconds }: Pick<TrackedCounts, 'entries' | 'limit' | 'timeWaitSeconds'>,
): SnatRemedy[] {
  const count = explained.last - explained.first + 1;
  const freeing: (SnatRemedy & { readonly freesPorts: number })[] = [
    {
      remedy: 'moreNatAddresses',
      freesPorts: count,
      action: 'add NAT addresses: this many ports for each, for the clients that get it',
    },
    {
      remedy: 'moreDestinations',
      freesPorts: count,
      action: 'add addresses or ports of the destination: this many ports for each',
    },
    {
      remedy: 'widerRange',
      freesPorts: explained.availableOutside,
      action: `let the rule choose from more ports, up to ${WIDEST.first}-${WIDEST.last}`,
    },
    ...reuse(explained),
    ...closeConnections(explained, count),
    ...shorterTimeWait(explained, timeWaitSeconds),
  ];
  return [
    ...tableFull({ entries, limit }),
    ...scatter(explained),
    ...freeing.filter(({ freesPorts }) => freesPorts > 0).toSorted((a, b) => b.freesPorts - a.freesPorts),
  ];
}

function tableFull({ entries, limit }: Pick<TrackedCounts, 'entries' | 'limit'>): SnatRemedy[] {
  if (limit === undefined || !isTableFull({ entries, limit })) return [];
  return [
    {
      remedy: 'biggerTable',
      action:
        `raise net.netfilter.nf_conntrack_max on the host: ${entries} of ${limit} connections are tracked, and a full ` +
        'table drops new ones to every destination',
    },
  ];
}

/** Where ports are not kept, and in a range that is searched whole, it changes nothing. */
function scatter(explained: SnatExplained): SnatRemedy[] {
  const { refusalRatio, spreadRefusalRatio } = explained;
  if (!keepsPorts(explained) || !isNoticed(refusalRatio) || spreadRefusalRatio >= refusalRatio / 2) return [];
  return [
    {
      remedy: 'fullyRandom',
      refusalRatio: spreadRefusalRatio,
      action:
        'scatter the ports (fully-random in the SNAT rule; iptables: --random-fully): as many used ports would drop ' +
        `${shareOf(spreadRefusalRatio)} of new packets at best, instead of ${shareOf(refusalRatio)}`,
    },
  ];
}

/** `7.7 %`; what nobody notices is no number. */
export function shareOf(ratio: number): string {
  if (ratio === 0) return 'none';
  return isNoticed(ratio) ? percent(ratio) : 'less than 0.1 %';
}

function reuse({ protocol, holders, closing }: SnatExplained) {
  if (protocol === 'tcp') {
    const action = 'reuse connections (keep-alive, pooling), so that none are closing or in TIME_WAIT';
    return [{ remedy: 'reuseConnections', freesPorts: closing, action }];
  }
  const clients = holders.filter(({ isInbound }) => !isInbound);
  const ports = clients.reduce((sum, holder) => sum + holder.ports, 0);
  const action = 'send from one socket of each client, instead of one for each request: at most this many';
  return [{ remedy: 'reuseSockets', freesPorts: ports - clients.length, action }];
}

function closeConnections({ holders, protocol }: SnatExplained, count: number) {
  if (protocol === 'udp') return [];
  return holders
    .filter(({ isInbound, established }) => !isInbound && established > MANY * count)
    .toSorted((a, b) => b.established - a.established)
    .slice(0, CLIENTS_SHOWN)
    .map(({ address, established }) => ({
      remedy: 'closeConnections',
      freesPorts: established,
      action: `close or pool the connections of ${address}`,
      client: address,
    }));
}

/** Entries of which as many would be gone already. */
function shorterTimeWait({ timeWaitSecondsLeft }: SnatExplained, now: number | undefined) {
  if (now === undefined) return [];
  const setting = 'net.netfilter.nf_conntrack_tcp_timeout_time_wait';
  return TIME_WAIT_SECONDS.filter((seconds) => seconds < now).map((seconds) => ({
    remedy: 'shorterTimeWait',
    freesPorts: timeWaitSecondsLeft.filter((left) => left <= now - seconds).length,
    action:
      `forget TIME_WAIT after ${seconds} s instead of ${now} s: of connections that close from then on` +
      (seconds < OWN_TIME_WAIT ? `; sockets themselves remember ${OWN_TIME_WAIT} s` : ''),
    command: ['sysctl', '-w', `${setting}=${seconds}`],
  }));
}
