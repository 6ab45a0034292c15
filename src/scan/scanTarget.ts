import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { ExporterError } from '../base/errors.ts';

/** Whose ports are scanned. */
export interface ScanTarget {
  /** The host that was asked for: a name or an address. */
  readonly host: string;
  /** The one that is scanned. */
  readonly address: string;
  /** What else the name stands for. */
  readonly otherAddresses: readonly string[];
  /** The address is one of this machine's, in this network namespace. */
  readonly isThisHost: boolean;
}

/**
 * Of a name the first IPv4 address is scanned, as nmap does; its first IPv6 address where `wantsIpv6`, or where it has no
 * other. Throws an ExporterError where there is none.
 */
export async function findScanTarget(host: string, wantsIpv6: boolean): Promise<ScanTarget> {
  const addresses = (await addressesOf(host)).map(unspecifiedAsLoopback);
  const address =
    addresses.find((candidate) => candidate.includes(':') === wantsIpv6) ??
    (wantsIpv6 ? undefined : addresses[0]);
  if (address === undefined) {
    throw new ExporterError(`${JSON.stringify(host)} has no ${wantsIpv6 ? 'IPv6 ' : ''}address`);
  }
  return {
    host,
    address,
    otherAddresses: addresses.filter((other) => other !== address),
    isThisHost: isOwnAddress(address),
  };
}

/** By getaddrinfo(3), so that /etc/hosts counts. */
async function addressesOf(host: string): Promise<string[]> {
  // Node would take it for a name, and warn that it is none.
  if (host === '') return [];
  try {
    const found = await lookup(host, { all: true, order: 'verbatim' });
    return [...new Set(found.map(({ address }) => address))];
  } catch (cause) {
    throw new ExporterError(`resolving ${JSON.stringify(host)}`, { cause });
  }
}

/** connect(2) to an unspecified address goes to this machine itself. */
function unspecifiedAsLoopback(address: string): string {
  const range = ipaddr.parse(address).range();
  if (range !== 'unspecified') return address;
  return address.includes(':') ? '::1' : '127.0.0.1';
}

function isOwnAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (ipaddr.parse(plain).range() === 'loopback') return true;
  return Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .some((own) => plainAddress(own.address) === plain);
}

/** The form of the listener table: mapped addresses are IPv4, and no interface is named. */
export function plainAddress(address: string): string {
  return ipaddr.process(address.replace(/%.*$/, '')).toString();
}
