import { isIPv4, isIPv6 } from 'node:net';
import { endpoint, isHostName } from '../base/endpoint.ts';
import { ExporterError } from '../base/errors.ts';

/** Where to listen. No host: every address of the machine. `host` is an IP address without brackets or a name. */
export interface ListenAddress {
  readonly host?: string;
  /** 0 lets the kernel choose one. */
  readonly port: number;
}

/**
 * `:10069`, `127.0.0.1:10069`, `[::1]:10069` or `localhost:10069`. Names are checked for their letters only; whether
 * they resolve shows when listening. Throws an ExporterError.
 */
export function parseListenAddress(text: string): ListenAddress {
  const parts = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[^:]*)):(?<digits>\d{1,5})$/.exec(text)?.groups;
  if (parts === undefined) throw unusable(text);
  const { ipv6, name, digits } = parts;
  const port = Number(digits);
  if (port > 65_535) throw unusable(text);
  if (ipv6 !== undefined) {
    if (!isIPv6(ipv6)) throw unusable(text);
    return { host: ipv6, port };
  }
  if (name === undefined || name === '') return { port };
  if (!isIPv4(name) && !isHostName(name)) throw unusable(text);
  return { host: name, port };
}

export function formatListenAddress({ host = '', port }: ListenAddress): string {
  return endpoint(host, port);
}

function unusable(text: string): ExporterError {
  // exporter-toolkit knows it; Node.js does not.
  const why = text.startsWith('vsock:') ? 'vsock is not supported: ' : '';
  return new ExporterError(
    `invalid listen address ${JSON.stringify(text)}: ${why}expected :PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535`,
  );
}
