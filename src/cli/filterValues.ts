import ipaddr from 'ipaddr.js';
import { invalidValue } from '../base/errors.ts';
import { servicePort } from '../owners/services.ts';
import { parsePort } from './values.ts';

/** `443`, `:443` or `:https`: a port, or the service of /etc/services that has it. */
export function parsePortOrService(text: string): number {
  const name = text.replace(/^:/, '');
  if (/^\d+$/.test(name)) return parsePort(name);
  const port = servicePort(name, 'tcp') ?? servicePort(name, 'udp');
  if (port !== undefined) return port;
  throw invalidValue(text, 'a port from 1 to 65535 or the name of a service');
}

/** Addresses, and a port where one was given. */
export interface Place {
  matches(address: string): boolean;
  readonly port: number | undefined;
}

/** `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`, each with `:PORT` behind it, for which IPv6 has brackets. */
export function parsePlace(text: string): Place {
  const fail = () => invalidValue(text, 'ADDRESS[/PREFIX][:PORT], with brackets around IPv6 before a port');
  const pattern = /^(?:\[([^\]]+)\]|([^/:]+)|([^/[\]]*:[^/[\]]*:[^/[\]]*))(?:\/(\d{1,3}))?(?::([^:]+))?$/;
  const [, bracketed, ipv4, ipv6 = bracketed, prefix, port] = pattern.exec(text) ?? [];
  const address = ipv4 ?? ipv6 ?? '';
  const isFit =
    ipv4 === undefined
      ? ipaddr.IPv6.isValid(address) && !address.includes('%')
      : ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isFit) throw fail();
  const network = ipaddr.parse(address);
  const longest = network.kind() === 'ipv4' ? 32 : 128;
  const bits = Number(prefix ?? longest);
  if (bits > longest) throw fail();
  return {
    port: port === undefined ? undefined : parsePortOrService(port),
    matches: (other) => {
      const candidate = ipaddr.parse(other);
      return candidate.kind() === network.kind() && candidate.match(network, bits);
    },
  };
}

/** As parsePlace, without a port. */
export function parseAddresses(text: string): Place {
  const place = parsePlace(text);
  if (place.port !== undefined) throw invalidValue(text, 'ADDRESS[/PREFIX]');
  return place;
}

/** A name, as it is shown. */
export function anyName(text: string): string {
  return text;
}
