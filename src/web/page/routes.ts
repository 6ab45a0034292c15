import type { Hono } from 'hono';
import { compress } from 'hono/compress';
import { etag } from 'hono/etag';
import type { StatusPage } from './statusPage.ts';

/** Nothing but what the exporter serves itself, and no script or style inside of the HTML. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

/** `/`, with a policy of its own, and what it refers to. */
export function servePage(app: Hono, page: StatusPage): void {
  const zipped = compress({ encoding: 'gzip' });
  app.get('/', zipped, (c) =>
    c.html(page.render(c.req.query('netns')), 200, {
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'no-store',
    }),
  );
  for (const { path, contentType, text, hash } of Object.values(page.assets)) {
    app.get(path, zipped, etag(), (c) =>
      c.body(text, 200, {
        'Content-Type': contentType,
        // Under the address that the page has for it, which changes with what it holds, it may be kept for ever.
        'Cache-Control': c.req.query('v') === hash ? 'private, max-age=31536000, immutable' : 'no-cache',
      }),
    );
  }
}
