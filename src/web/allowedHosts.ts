import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { isHostName } from '../base/endpoint.ts';
import { invalidValue } from '../base/errors.ts';

/** `db-7.example.org`, or `.example.org` for that name and all below it, in lower case. Throws an ExporterError. */
export function parseAllowedHost(text: string): string {
  const name = text.replace(/^\./, '');
  if (isHostName(name)) return text.toLowerCase().replace(/\.$/, '');
  throw invalidValue(text, 'a host name like db-7.example.org, or .example.org for all names below it');
}

/**
 * Whether requests to this `Host` are answered. Without `allowed` all are. IP addresses and localhost always are: a page that
 * reaches the exporter by DNS rebinding has a name that its owner controls. So are requests without, which no browser sends.
 */
export function isAllowedHost(host: string | undefined, allowed: readonly string[]): boolean {
  if (host === undefined || allowed.length === 0) return true;
  const name = host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  if (isIP(name) !== 0) return true;
  return ['.localhost', ...allowed].some(
    (one) => name === one || (one.startsWith('.') && (name === one.slice(1) || name.endsWith(one))),
  );
}

/** Answers requests to other hosts with a 421 (RFC 9110, section 15.5.20). */
export function requireAllowedHost(allowed: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    if (isAllowedHost(c.req.header('host'), allowed)) return next();
    return c.text('421 Misdirected Request: this host is not in --web.allowed-hosts\n', 421);
  };
}
