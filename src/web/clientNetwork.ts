import ipaddr from 'ipaddr.js';

/** Bits of an IPv6 address that one subscriber does not choose: a host has the rest to itself (RFC 6177). */
const IPV6_PREFIX = 64;

/**
 * Who counts as one client: an IPv4 address, also where a dual-stack socket shows it as IPv6, or an IPv6 /64. Without an
 * address, which a connection that is gone already has none of, ''.
 */
export function clientNetworkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return '';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return parsed
    .toByteArray()
    .slice(0, IPV6_PREFIX / 8)
    .join('.');
}
