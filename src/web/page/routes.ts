import type { Hono } from 'hono';
import { etag } from 'hono/etag';
import { type Answers, Packed } from '../packed.ts';
import { clientOf } from '../turns.ts';
import type { StatusPage } from './statusPage.ts';

/** Nothing but what the exporter serves itself, and no script or style inside of the HTML. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

/** `/`, with a policy of its own, and what it refers to. */
export function servePage(app: Hono, page: StatusPage, answers: Answers): void {
  app.get('/', async (c) => {
    const rendered = await page.render(c.req.query('netns'), clientOf(c));
    if (rendered === undefined) {
      return c.text('503 Service Unavailable: too many pages to render\n', 503, { 'Retry-After': '1' });
    }
    return await answers.send(c, rendered, {
      'Content-Type': 'text/html; charset=UTF-8',
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'no-store',
    });
  });
  for (const { path, contentType, text, hash } of Object.values(page.assets)) {
    const packed = new Packed(text);
    app.get(path, etag(), (c) =>
      answers.send(c, packed, {
        'Content-Type': contentType,
        // Weak: zipped or not.
        ETag: `W/"${hash}"`,
        // Under the address that the page has for it, which changes with what it holds, it may be kept for ever.
        'Cache-Control': c.req.query('v') === hash ? 'private, max-age=31536000, immutable' : 'no-cache',
      }),
    );
  }
}
