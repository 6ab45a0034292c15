import type { MiddlewareHandler } from 'hono';
import type { WebConfig } from './config/webConfig.ts';

// No Strict-Transport-Security: it would hold for every other service of this host name too.
const DEFAULTS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** What every answer carries: the defaults, and above them what is configured, where an empty value takes one away. */
export function securityHeaders({ headers }: WebConfig): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...DEFAULTS, ...headers }).filter(([, value]) => value !== ''));
}

/** A page may have a policy of its own in place of a default; what is configured stands above both. */
export function withSecurityHeaders(config: () => WebConfig): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    for (const [name, value] of Object.entries(DEFAULTS)) {
      if (!headers.has(name)) headers.set(name, value);
    }
    for (const [name, value] of Object.entries(config().headers)) {
      if (value === '') headers.delete(name);
      else headers.set(name, value);
    }
  };
}
