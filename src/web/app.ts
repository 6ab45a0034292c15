import { type Context, Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { requireAllowedHost } from './allowedHosts.ts';
import { PasswordCheck, requirePassword } from './basicAuth.ts';
import type { WebConfig } from './config/webConfig.ts';
import { landingPage } from './landingPage.ts';
import { chooseFormat, type ExpositionFormat } from './negotiate.ts';
import { Answers, Packed } from './packed.ts';
import { servePage } from './page/routes.ts';
import type { StatusPage } from './page/statusPage.ts';
import { limitRate } from './rateLimit.ts';
import { limitRequests } from './requestLimit.ts';
import { Scrapes } from './scrapes.ts';
import { withSecurityHeaders } from './securityHeaders.ts';
import { takeTurns } from './turns.ts';

export interface AppOptions {
  /** Absolute path of the metrics, made of plain segments: `/metrics`. */
  readonly telemetryPath: string;
  readonly version: string;
  readonly log: Logger;
  /** Requests to answer at a time, 0 for any number; the health pages always answer. */
  readonly maxRequests: number;
  /** As parseAllowedHost makes them; empty for any host. */
  readonly allowedHosts: readonly string[];
  /** What is in force now: users, headers and the rate limit. */
  config(): WebConfig;
  /** One whole exposition. A rejection becomes a 500 with its one line. */
  render(format: ExpositionFormat): Promise<string>;
  /** Whether the numbers can be trusted now; `reason` is one line either way. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** What `/` shows; without one, links alone. */
  readonly page?: StatusPage | undefined;
  /** Answered at `/readme`; undefined where it is not installed. */
  readonly readme?: string | undefined;
}

const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const HEALTH = ['/-/healthy', '/-/ready'] as const;

/** Every route the exporter answers. Each GET route also answers HEAD, and other methods get 405. */
export function createApp(parts: AppOptions): Hono {
  const { telemetryPath, version, log, maxRequests, config, readiness, page, readme } = parts;
  const answers = new Answers();
  const scrapes = new Scrapes(parts.render);
  const passwords = new PasswordCheck();
  const first: ReadonlySet<string> = new Set([telemetryPath, ...HEALTH]);
  const app = new Hono();
  app.use(withSecurityHeaders(config));
  app.use(requireAllowedHost(parts.allowedHosts));
  // Before any work. Those to other hosts cost nobody a token.
  app.use(limitRate(config, passwords, HEALTH));
  app.use(takeTurns(({ req }) => first.has(req.path) && passwords.isRemembered(config().users, req.raw)));
  // Before the limit: who has no password takes no place from who has.
  app.use(requirePassword(config, passwords));
  app.use(limitRequests(maxRequests, telemetryPath, HEALTH));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        c.text('405 Method Not Allowed\n', 405, { Allow: methods.join(', ') }),
    }),
  );
  if (page === undefined) {
    app.get('/', (c) => c.html(landingPage(version, [telemetryPath, ...HEALTH])));
  } else {
    servePage(app, page, answers);
  }
  const packedReadme = readme === undefined ? undefined : new Packed(readme);
  app.get('/readme', async (c) =>
    packedReadme === undefined
      ? c.text('404 Not Found: README.md is not installed\n', 404)
      : await answers.send(c, packedReadme, { 'Content-Type': 'text/plain; charset=UTF-8' }),
  );
  app.get('/-/healthy', (c) => c.text('healthy\n'));
  app.get('/-/ready', (c) => {
    const { ready, reason } = readiness();
    return c.text(`${reason}\n`, ready ? 200 : 503);
  });
  app.get(telemetryPath, async (c) => {
    const format = chooseFormat(c.req.header('accept'));
    try {
      return await answers.send(c, await scrapes.get(format), {
        'Content-Type': CONTENT_TYPES[format],
        Vary: 'Accept',
      });
    } catch (thrown) {
      return failed(c, 'failed to render the metrics', thrown);
    }
  });
  app.notFound((c) => c.text('404 Not Found\n', 404));
  app.onError((error, c) => failed(c, 'failed to answer a request', error));

  function failed(c: Context, what: string, thrown: unknown): Response {
    log.error(what, { path: c.req.path, error: errorLine(thrown) });
    return c.text(`${what}: ${errorLine(thrown)}\n`, 500);
  }
  return app;
}
