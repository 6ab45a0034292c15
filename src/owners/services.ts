import { ExporterError, errorLine } from '../base/errors.ts';
import { linesOf, readUpTo } from '../base/readUpTo.ts';

export interface ServiceNames {
  /** The first name that the file gives to this port and protocol; '' where it gives none. */
  name(port: number, protocol: 'tcp' | 'udp'): string;
  /** Why there are no names at all, in one line; undefined where the file was read. */
  readonly missing: string | undefined;
}

/** Ten times the longest in use: Red Hat's has 700 KB. */
const FILE_LIMIT = 8 * 1024 * 1024;
const LINES_LIMIT = 150_000;

/** Read once: slim containers have no such file, which is said in `missing` and not thrown. */
export function readServices(path = '/etc/services'): ServiceNames {
  try {
    return { ...parseServices(readUpTo(path, FILE_LIMIT)), missing: undefined };
  } catch (thrown) {
    const missing = new ExporterError('reading the service names', { cause: thrown });
    return { name: () => '', missing: errorLine(missing) };
  }
}

/**
 * services(5): `name port/protocol aliases # comment`. Lines that are anything else are skipped, and so are names that
 * are not printable ASCII or longer than 64 characters (RFC 6335 allows 15; some distributions' have 30).
 */
export function parseServices(bytes: Uint8Array): Pick<ServiceNames, 'name'> {
  const names = { tcp: new Map<number, string>(), udp: new Map<number, string>() };
  for (const { name, port, protocol } of servicesIn(bytes)) {
    if (!names[protocol].has(port)) names[protocol].set(port, name);
  }
  return { name: (port, protocol) => names[protocol].get(port) ?? '' };
}

/** The first port that the file gives to a name or alias; undefined where it gives none, and without the file. */
export function servicePort(
  wanted: string,
  protocol: 'tcp' | 'udp',
  path = '/etc/services',
): number | undefined {
  try {
    for (const service of servicesIn(readUpTo(path, FILE_LIMIT))) {
      if (service.protocol !== protocol) continue;
      if ([service.name, ...service.aliases].includes(wanted)) return service.port;
    }
  } catch {
    // getservbyname(3) finds nothing then, either.
  }
  return undefined;
}

interface Service {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly aliases: readonly string[];
}

function* servicesIn(bytes: Uint8Array): Generator<Service> {
  // latin1 never fails; a byte of anything but ASCII then fails the pattern.
  for (const line of linesOf(Buffer.from(bytes).toString('latin1'), LINES_LIMIT)) {
    const [, name, digits, protocol, aliases = ''] = LINE.exec(line) ?? [];
    const port = Number(digits);
    if (name === undefined || !isProtocol(protocol) || port === 0 || port > 65_535) continue;
    yield { name, port, protocol, aliases: aliases.match(/[^ \t\r]+/g) ?? [] };
  }
}

/** Printable ASCII without `#`, which begins a comment. */
const LINE = /^[ \t]*([!"$-~]{1,64})[ \t]+(\d{1,5})\/(tcp|udp)(?=[ \t\r#]|$)([^#]*)/;

function isProtocol(text: string | undefined): text is 'tcp' | 'udp' {
  return text === 'tcp' || text === 'udp';
}
