import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { ASSETS, app, page } from './pages.ts';

describe('the status page', () => {
  it('is HTML under a policy that allows nothing but what the exporter serves', async () => {
    const { status, headers } = await app(sampled(RICH_NAMESPACE)).request('/');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  it('leaves the policy of every other answer as it was', async () => {
    for (const path of ['/metrics', '/-/healthy', '/readme', ASSETS.style.path]) {
      const { headers } = await app(sampled(RICH_NAMESPACE)).request(path);
      expect(headers.get('content-security-policy')).not.toContain('script-src');
    }
  });
});

describe('what the page refers to', () => {
  it('is served under the very addresses it has there, to be kept for ever', async () => {
    const html = await page(sampled(RICH_NAMESPACE));
    for (const asset of Object.values(ASSETS)) {
      const [, path = ''] = html.match(new RegExp(`(?:href|src)="\\.(${asset.path}\\?v=[\\w-]+)"`)) ?? [];
      const response = await app(sampled(RICH_NAMESPACE)).request(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(asset.contentType);
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      expect(await response.text()).toBe(asset.text);
    }
  });

  it('is asked for again under any other address, and not sent twice', async () => {
    const { path } = ASSETS.style;
    const first = await app(sampled(RICH_NAMESPACE)).request(`${path}?v=old`);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const headers = { 'if-none-match': `"other", ${first.headers.get('etag')}` };
    const again = await app(sampled(RICH_NAMESPACE)).request(path, { headers });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const other = await app(sampled(RICH_NAMESPACE)).request(path, {
      headers: { 'if-none-match': '"other"' },
    });
    expect(other.status).toBe(200);
  });

  it('is zipped for whoever takes that, as the page is', async () => {
    for (const path of ['/', ASSETS.style.path]) {
      const response = await app(sampled(RICH_NAMESPACE)).request(path, {
        headers: { 'accept-encoding': 'gzip' },
      });
      expect(response.headers.get('content-encoding')).toBe('gzip');
      const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString();
      expect(text).toMatch(path === '/' ? /^<!doctype html>/ : /^p \{/);
    }
  });
});
