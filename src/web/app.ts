import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Context, Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { landingPage } from './landingPage.ts';
import { acceptsGzip, chooseFormat, type ExpositionFormat } from './negotiate.ts';

export interface AppParts {
  /** Absolute path of the metrics, made of plain segments: `/metrics`. */
  readonly telemetryPath: string;
  readonly version: string;
  readonly log: Logger;
  /** One whole exposition. A rejection becomes a 500 with its one line. */
  render(format: ExpositionFormat): Promise<string>;
  /** Whether the numbers can be trusted now; `reason` is one line either way. */
  readiness(): { readonly ready: boolean; readonly reason: string };
}

const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

// No Strict-Transport-Security: it would hold for every other service of this host name too.
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

const compress = promisify(gzip);

/** Every route the exporter answers. Each GET route also answers HEAD, and other methods get 405. */
export function createApp({ telemetryPath, version, log, render, readiness }: AppParts): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        c.text('405 Method Not Allowed\n', 405, { Allow: methods.join(', ') }),
    }),
  );
  app.get('/', (c) => c.html(landingPage(version, [telemetryPath, '/-/healthy', '/-/ready'])));
  app.get('/-/healthy', (c) => c.text('healthy\n'));
  app.get('/-/ready', (c) => {
    const { ready, reason } = readiness();
    return c.text(`${reason}\n`, ready ? 200 : 503);
  });
  app.get(telemetryPath, async (c) => {
    const format = chooseFormat(c.req.header('accept'));
    try {
      return await answer(c, CONTENT_TYPES[format], await render(format));
    } catch (thrown) {
      return failed(c, 'rendering the metrics failed', thrown);
    }
  });
  app.notFound((c) => c.text('404 Not Found\n', 404));
  app.onError((error, c) => failed(c, 'answering a request failed', error));

  function failed(c: Context, what: string, thrown: unknown): Response {
    log.error(what, { path: c.req.path, error: errorLine(thrown) });
    return c.text(`${what}: ${errorLine(thrown)}\n`, 500);
  }
  return app;
}

/** The length is stated, so that a scraper notices an answer that was cut off. */
async function answer(c: Context, contentType: string, text: string): Promise<Response> {
  const zipped = acceptsGzip(c.req.header('accept-encoding'));
  const body = zipped ? new Uint8Array(await compress(text)) : text;
  return c.body(body, 200, {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    Vary: 'Accept, Accept-Encoding',
    ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
  });
}
