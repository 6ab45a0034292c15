import { isIP } from 'node:net';
import { ExporterError } from '../base/errors.ts';

/** What a probe connects to. */
export interface Endpoint {
  /** A name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** An IP address of this machine to connect from; the kernel's choice without. */
  readonly source?: string;
}

/** An IP address to connect from. Throws an ExporterError; so too where `host` is an address of the other family. */
export function parseSource(text: string, host?: string): string {
  const family = isIP(text);
  // A link-local one would need its interface as well.
  if (family === 0 || text.includes('%')) {
    throw new ExporterError(`${JSON.stringify(text)} does not fit; expected an IP address of this machine`);
  }
  const wanted = host === undefined ? 0 : isIP(host);
  if (wanted !== 0 && wanted !== family) {
    throw new ExporterError(
      `${JSON.stringify(text)} does not fit; expected an IPv${wanted} address as ${host} is`,
    );
  }
  return text;
}

/** `db.example.org:5432`, `[2001:db8::1]:443` */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
