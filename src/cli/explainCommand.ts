import ipaddr from 'ipaddr.js';
import type { Destination } from '../aggregate/destinations.ts';
import { regime } from '../aggregate/exhaustion.ts';
import type { ExplainedDestination } from '../reports/explained.ts';
import { explainReport } from '../reports/explainReport.ts';
import type { NamedHolders } from '../sampler/namedHolders.ts';
import type { Command } from './command.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { sampledNamespace, type WholeNamespace } from './sampledNamespace.ts';
import { type Endpoint, parseEndpoint } from './values.ts';

/** Why ports run out, and what would help. */
export const explainCommand: Command = {
  pattern: 'explain [destination]',
  describe: 'What holds the ports of the worst or the named destination, and which remedies apply',
  positionals: { destination: 'ADDRESS:PORT or [IPV6]:PORT; the worst by default' },
  flags: QUERY_FLAGS,
  invoke(commandLine, environment) {
    const named = commandLine['destination'];
    const wanted = named === undefined ? undefined : parseEndpoint(String(named));
    return queryInvocation(readFlags(QUERY_FLAGS, commandLine, environment), (rounds) => {
      const namespace = sampledNamespace(rounds);
      const { netns, tcp, udp, range } = namespace;
      // The fullest one: several source addresses may be connected to it.
      const destination = tcp.destinations.fullest.find((one) => isSame(one, wanted));
      const [holders = NOBODY] = destination === undefined ? [] : rounds.holdersOf([destination]);
      return explainReport({
        netns,
        destination: destination ?? unused(wanted, namespace),
        sourceAddresses: destination === undefined ? 0 : sourcesOf(destination, tcp.destinations.fullest),
        holders,
        tcp,
        udp,
        range,
      });
    });
  },
};

const NOBODY: NamedHolders = { owners: [], timeWaitLeftMs: [] };

/** What a destination has that nobody is connected to: ports may be blocked for it as for every other. */
function unused(wanted: Endpoint | undefined, { tcp, range }: WholeNamespace): ExplainedDestination {
  return {
    localAddress: undefined,
    remoteAddress: wanted && ipaddr.process(wanted.address).toString(),
    remotePort: wanted?.port,
    used: { established: 0, timeWait: 0, other: 0 },
    reclaimable: 0,
    ...regime(tcp.capacity, range.usable),
  };
}

function isSame({ remoteAddress, remotePort }: Destination, wanted: Endpoint | undefined): boolean {
  if (wanted === undefined) return true;
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
