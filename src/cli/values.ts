import ipaddr from 'ipaddr.js';
import { EVERY_OTHER, type SnatPorts } from '../aggregate/snatPorts.ts';
import { parseDuration, parsePeriod } from '../base/duration.ts';
import { invalidValue } from '../base/errors.ts';

// What a flag's text may be. Each parser throws an ExporterError that shows the text and says what was expected.

/** A period as in parsePeriod, or 0 for never. */
export function parsePeriodOrNone(text: string): number {
  return parseDuration(text) === 0 ? 0 : parsePeriod(text);
}

/** A share above 0 and up to 1. */
export function parseShare(text: string): number {
  const share = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (share > 0 && share <= 1) return share;
  throw invalidValue(text, 'a number above 0 and up to 1');
}

/** A share from 0 to 1. */
export function parseRatio(text: string): number {
  return /^0*(\.0+)?$/.test(text) && text !== '' ? 0 : parseShare(text);
}

const EXPECTED_NAMESPACES = 'self, all or a regular expression';

/** `self`, `all`, or a regular expression that a whole name must match, as in Prometheus. */
export function parseNamespaces(text: string): 'self' | 'all' | RegExp {
  if (text === 'self' || text === 'all') return text;
  if (text === '') throw invalidValue(text, EXPECTED_NAMESPACES);
  try {
    return new RegExp(`^(?:${text})$`, 'u');
  } catch {
    throw invalidValue(text, EXPECTED_NAMESPACES);
  }
}

/** How many of an open-ended set to export; 0 for none. */
export const parseLimit = wholeNumber(0, 100_000);

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw invalidValue(text, `an integer from ${least} to ${most}`);
  };
}

/** One of `words`, spelled exactly so. */
export function oneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((known) => known === text);
    if (word === undefined) throw invalidValue(text, `one of ${words.join(', ')}`);
    return word;
  };
}

/** The path of what is `expected` there: `a file`. */
export function pathOf(expected: string): (text: string) => string {
  return (text) => {
    if (text === '') throw invalidValue(text, expected);
    return text;
  };
}

/** Where a browser can go, spelled as URLs are. */
export function parseLink(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.href;
  throw invalidValue(text, 'an http:// or https:// URL');
}

/** A path that is no other page's, of characters that mean themselves in a URL and to the router. */
export function parseTelemetryPath(text: string): string {
  const segments = text.split('/').slice(1);
  const plain = segments.every(
    (segment) => /^[\w.~-]+$/.test(segment) && segment !== '.' && segment !== '..',
  );
  if (text.startsWith('/') && plain && segments[0] !== '-' && text !== '/readme') return text;
  throw invalidValue(text, 'a path like /metrics, other than / and /readme and not below /-/');
}

/** A port from 1 to 65535. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw invalidValue(text, 'a port from 1 to 65535');
}

/** `1024-2047` or `192.0.2.1=1024-2047`: ports of one address, or of every other one. */
export function parseSnatPorts(text: string): SnatPorts {
  const [, , address, from = '', to = ''] = /^((.+)=)?(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  const name = address === undefined ? EVERY_OTHER : canonicalAddress(address);
  if (name !== undefined && first >= 1 && first <= last && last <= 65_535) return { name, first, last };
  throw invalidValue(text, 'FIRST-LAST or ADDRESS=FIRST-LAST, with ports from 1 to 65535');
}

/** As metrics show it; undefined where it is none. */
function canonicalAddress(text: string): string | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toString();
  if (!ipaddr.IPv6.isValid(text) || text.includes('%')) return undefined;
  return ipaddr.IPv6.parse(text).toRFC5952String();
}

/** An IP address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function parseEndpoint(text: string): Endpoint {
  const [, ipv6, ipv4, port = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? [];
  const address = ipv6 ?? ipv4 ?? '';
  const isFit =
    ipv6 === undefined ? ipaddr.IPv4.isValidFourPartDecimal(address) : ipaddr.IPv6.isValid(address);
  if (!isFit) throw invalidValue(text, 'ADDRESS:PORT or [IPV6]:PORT');
  return { address, port: parsePort(port) };
}
