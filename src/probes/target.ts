import { isIP, isIPv4, isIPv6 } from 'node:net';
import { isHostName } from '../base/endpoint.ts';
import { invalidValue } from '../base/errors.ts';

/** What a probe connects to. */
export interface Endpoint {
  /** A name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** An IP address of this machine to connect from; the kernel's choice without. */
  readonly source?: string;
}

/** What is probed again and again. */
export interface ProbeTarget extends Endpoint {
  /** Tells it from all others. */
  readonly name: string;
  /** From the start of one probe to that of the next. */
  readonly intervalMs: number;
  /** For all of one probe: from the start of its lookup until it is connected. Not above the interval. */
  readonly timeoutMs: number;
}

export const DEFAULT_INTERVAL_MS = 15_000;
export const DEFAULT_TIMEOUT_MS = 5_000;

/** `tcp://db.example.org:5432`, called so and probed as often as by default. Throws an ExporterError. */
export function parseProbe(text: string): ProbeTarget {
  return {
    name: text,
    ...parseEndpoint(text),
    intervalMs: DEFAULT_INTERVAL_MS,
    timeoutMs: DEFAULT_TIMEOUT_MS,
  };
}

/**
 * `tcp://HOST:PORT` or `tcp://[IPV6]:PORT`. Names are checked for their letters only; whether they resolve is what the
 * probe finds out. Throws an ExporterError.
 */
export function parseEndpoint(text: string): Pick<Endpoint, 'host' | 'port'> {
  const [, ipv6, name = '', digits = ''] =
    /^tcp:\/\/(?:\[([^\]]*)\]|([^:/[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const isFit = ipv6 === undefined ? isIPv4(name) || isHostName(name) : isIPv6(ipv6);
  if (!isFit || port < 1 || port > 65_535) {
    throw invalidValue(text, 'tcp://HOST:PORT or tcp://[IPV6]:PORT');
  }
  return { host: ipv6 ?? name, port };
}

/** An IP address to connect from. Throws an ExporterError; so too where `host` is an address of the other family. */
export function parseSource(text: string, host?: string): string {
  const family = isIP(text);
  // A link-local one would need its interface as well.
  if (family === 0 || text.includes('%')) {
    throw invalidValue(text, 'an IP address of this host');
  }
  const wanted = host === undefined ? 0 : isIP(host);
  if (wanted !== 0 && wanted !== family) {
    throw invalidValue(text, `an IPv${wanted} address, the family of ${host}`);
  }
  return text;
}
