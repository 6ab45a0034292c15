import type { MiddlewareHandler } from 'hono';
import type { PasswordCheck } from './basicAuth.ts';
import type { WebConfig } from './config/webConfig.ts';
import { TokenBucket } from './tokenBucket.ts';

/**
 * Answers requests beyond `rate_limit` with a 429, over all clients, as exporter-toolkit does. Unlike there, who gave the right
 * password before has a bucket of its own, or anybody without one could keep Prometheus out. `exempt` are paths that always
 * answer these: kubelet would restart an exporter whose health check is refused.
 */
export function limitRate(
  config: () => WebConfig,
  passwords: PasswordCheck,
  exempt: readonly string[],
): MiddlewareHandler {
  const known = new TokenBucket();
  const strangers = new TokenBucket();
  return async (c, next) => {
    const { rateLimit, users } = config();
    if (rateLimit === undefined) return next();
    const isKnown = passwords.isRemembered(users, c.req.raw);
    if (isKnown && exempt.includes(c.req.path)) return next();
    const waitMs = (isKnown ? known : strangers).take(rateLimit, performance.now());
    if (waitMs === 0) return next();
    return c.text('429 Too Many Requests: rate_limit of the web configuration reached\n', 429, {
      'Retry-After': String(Math.ceil(waitMs / 1000)),
      // Who has no password keeps no connection either.
      ...(isKnown ? {} : { Connection: 'close' }),
    });
  };
}
