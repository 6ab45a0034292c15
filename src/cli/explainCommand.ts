import ipaddr from 'ipaddr.js';
import type { Destination } from '../aggregate/destinations.ts';
import { leastAvailable, regime } from '../aggregate/exhaustion.ts';
import { onDevice } from '../base/endpoint.ts';
import type { Explained, ExplainedDestination, KnownElsewhere } from '../reports/explained.ts';
import { explainReport } from '../reports/explainReport.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import { explainCommand as commandFor } from '../status/explainCommand.ts';
import { leastRatioOf } from '../status/level.ts';
import { regimesOf } from '../status/regimes.ts';
import { nearnessOf, worstOf } from '../status/worst.ts';
import type { Command } from './command.ts';
import { snatOnTheWay } from './explainSnat.ts';
import { OPTION_FLAGS } from './options.ts';
import type { Asked } from './query.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { countRefused } from './refusedNow.ts';
import { type Endpoint, parseEndpoint } from './values.ts';
import { isWhole, type WholeNamespace } from './wholeNamespace.ts';

const FLAGS = { ...QUERY_FLAGS, 'snat.ports': OPTION_FLAGS['snat.ports'] };

/** Why ports run out, and what would help. */
export const explainCommand: Command = {
  pattern: 'explain [destination]',
  describe: 'Explain what holds the ports of the worst or the given destination, and which remedies apply',
  positionals: {
    destination: 'ADDRESS:PORT or [IPV6]:PORT, ADDRESS%DEVICE for one device; default: the worst',
  },
  flags: FLAGS,
  invoke(commandLine, environment) {
    const named = commandLine['destination'];
    const wanted = named === undefined ? undefined : parseWanted(String(named));
    const { 'snat.ports': snatPorts, ...values } = readFlags(FLAGS, commandLine, environment);
    return queryInvocation(values, async (asked) => {
      const [own, ...others] = asked.sample();
      const candidates = [own, ...others.filter(isWhole)];
      const namespace =
        wanted === undefined ? worstNamespace(own, candidates) : fullestNamespace(own, candidates, wanted);
      const counting = isNear(namespace, wanted) ? countRefused(asked, namespace.netns) : undefined;
      return explainReport({
        ...explained(namespace, wanted, asked),
        refused: await counting?.counted(),
        isNetnsNamed: values.netns !== undefined,
        snat: snatOnTheWay(asked, namespace.netns, wanted, snatPorts),
        elsewhere: wanted === undefined ? [] : elsewhereOf(namespace, candidates, wanted, asked),
      });
    });
  },
};

/** Time to look for the processes that hold a destination's ports. */
const PROCESS_BUDGET_MS = 5_000;
const NOBODY: NamedHolders = { owners: [], timeWaitLeftMs: [], inodes: new Map() };
const NO_PROCESSES = { processes: [], unknown: 0, refusal: undefined } as const;

function explained(
  namespace: WholeNamespace,
  wanted: Wanted | undefined,
  { session, pathOf }: Asked,
): Omit<Explained, 'isNetnsNamed' | 'elsewhere' | 'refused' | 'snat'> {
  const { netns } = namespace;
  const { tcp, udp, range } = namespace.results;
  const destination = fullestOf(namespace, wanted);
  const [holders = NOBODY] = destination === undefined ? [] : session.holdersOf(netns, [destination]);
  return {
    ...{ netns, holders, tcp, udp, range, netnsPath: pathOf(netns) },
    destination: destination ?? unused(wanted, namespace),
    sourceAddresses: destination === undefined ? 0 : sourcesOf(destination, tcp.destinations.fullest),
    processes: destination === undefined ? NO_PROCESSES : session.processesOf(holders, PROCESS_BUDGET_MS),
    worst: worstOf(regimesOf(namespace)),
  };
}

/** Whether calls may be refused at times. Where not, it is not worth waiting for one. */
function isNear(namespace: WholeNamespace, wanted: Wanted | undefined): boolean {
  const worst = worstOf(regimesOf(namespace))?.numbers.ratio ?? 0;
  return Math.max(worst, fullestOf(namespace, wanted)?.ratio ?? 0) >= leastRatioOf('near');
}

/** The fullest one: several source addresses may be connected to it. */
function fullestOf(
  { results: { tcp } }: WholeNamespace,
  wanted: Wanted | undefined,
): Destination | undefined {
  return tcp.destinations.fullest.find((one) => isSame(one, wanted));
}

/** The own one unless another is worse. */
function worstNamespace(own: WholeNamespace, candidates: readonly WholeNamespace[]): WholeNamespace {
  const nearness = (namespace: WholeNamespace) => nearnessOf(worstOf(regimesOf(namespace)));
  return candidates.reduce((worst, one) => (nearness(one) > nearness(worst) ? one : worst), own);
}

/** Where the destination is fullest; the own one where nobody knows it. */
function fullestNamespace(
  own: WholeNamespace,
  candidates: readonly WholeNamespace[],
  wanted: Wanted,
): WholeNamespace {
  const ratioOf = (namespace: WholeNamespace) => fullestOf(namespace, wanted)?.ratio ?? -1;
  return candidates.reduce((fullest, one) => (ratioOf(one) > ratioOf(fullest) ? one : fullest), own);
}

/** Other namespaces are looked into where all were asked, or where the one that was does not know the destination. */
function elsewhereOf(
  namespace: WholeNamespace,
  candidates: readonly WholeNamespace[],
  wanted: Wanted,
  asked: Asked,
): Explained['elsewhere'] {
  if (asked.isAll)
    return knownTo(
      candidates.filter((one) => one !== namespace),
      wanted,
    );
  if (fullestOf(namespace, wanted) !== undefined) return [];
  return asked.lookElsewhere((namespaces) => knownTo(namespaces, wanted));
}

function knownTo(namespaces: readonly WholeNamespace[], wanted: Wanted): KnownElsewhere[] {
  return namespaces
    .flatMap((namespace) => {
      const destination = fullestOf(namespace, wanted);
      if (destination === undefined) return [];
      const { netns } = namespace;
      const { ratio } = destination;
      const available = leastAvailable(destination);
      const localAddress = onDevice(destination.localAddress, destination.device);
      return [{ netns, localAddress, available, ratio, command: commandFor(netns, destination) }];
    })
    .toSorted((a, b) => b.ratio - a.ratio);
}

/** What a destination has that nobody is connected to: ports may be blocked for it as for every other. */
function unused(
  wanted: Wanted | undefined,
  { results: { tcp, range } }: WholeNamespace,
): ExplainedDestination {
  return {
    localAddress: undefined,
    deviceIndex: 0,
    device: '',
    remoteAddress: wanted && ipaddr.process(wanted.address).toString(),
    remotePort: wanted?.port,
    used: { established: 0, timeWait: 0, other: 0 },
    reclaimable: 0,
    ...regime(tcp.capacity, range.usable, tcp.capacityAtLeast),
  };
}

interface Wanted extends Endpoint {
  /** '' for any. */
  readonly device: string;
}

/** With the device as ss writes it: `[fe80::1%eth1]:443`. */
function parseWanted(text: string): Wanted {
  const [zone = '', device = ''] = /%([^%:\]]+)/.exec(text) ?? [];
  return { ...parseEndpoint(text.replace(zone, '')), device };
}

function isSame({ remoteAddress, remotePort, device }: Destination, wanted: Wanted | undefined): boolean {
  if (wanted === undefined) return true;
  if (wanted.device !== '' && wanted.device !== device) return false;
  return remotePort === wanted.port && isSameAddress(remoteAddress, wanted.address);
}

/** Destinations are told apart by the source address too. */
function sourcesOf({ remoteAddress, remotePort }: Destination, all: readonly Destination[]): number {
  return all.filter((other) => other.remoteAddress === remoteAddress && other.remotePort === remotePort)
    .length;
}

function isSameAddress(a: string, b: string): boolean {
  return ipaddr.process(a).toString() === ipaddr.process(b).toString();
}
