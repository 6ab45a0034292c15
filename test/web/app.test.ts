import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/base/createLogger.ts';
import type { AppOptions } from '../../src/web/app.ts';
import { plainApp } from './served.ts';

const EXPOSITIONS = {
  text: '# HELP a b\n# TYPE a gauge\na{x="ü"} 1\n',
  openmetrics: '# HELP a b\n# TYPE a gauge\na{x="ü"} 1\n# EOF\n',
} as const;

function app(parts: Partial<AppOptions> = {}) {
  return plainApp({
    version: '1.2.3',
    render: async (format) => EXPOSITIONS[format],
    readiness: () => ({ ready: true, reason: 'last sample 2s ago' }),
    ...parts,
  });
}

async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return app().request(path, { method, headers });
}

describe('/metrics', () => {
  it('answers in the text format by default', async () => {
    const response = await get('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(EXPOSITIONS.text)));
    expect(await response.text()).toBe(EXPOSITIONS.text);
  });

  it('answers in OpenMetrics to whoever asks for it', async () => {
    const response = await get('/metrics', { accept: 'application/openmetrics-text;version=1.0.0' });
    expect(response.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    expect(await response.text()).toBe(EXPOSITIONS.openmetrics);
  });

  it('is zipped for whoever takes that', async () => {
    const response = await get('/metrics', { 'accept-encoding': 'gzip' });
    expect(response.headers.get('content-encoding')).toBe('gzip');
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(body.length));
    expect(gunzipSync(body).toString()).toBe(EXPOSITIONS.text);
  });

  it('tells caches what the answer depends on, zipped or not', async () => {
    for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
      expect((await get('/metrics', headers)).headers.get('vary')).toBe('Accept, Accept-Encoding');
    }
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const response = await get('/metrics', {}, 'HEAD');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(EXPOSITIONS.text)));
    expect(await response.text()).toBe('');
  });

  it('ignores a query', async () => {
    expect((await get('/metrics?debug=1')).status).toBe(200);
  });

  it('can be elsewhere, and then is nowhere else', async () => {
    const moved = app({ telemetryPath: '/ports/metrics' });
    expect((await moved.request('/ports/metrics')).status).toBe(200);
    expect((await moved.request('/metrics')).status).toBe(404);
  });

  it.each([
    ['an Error', new Error('no sample\n    yet'), 'no sample yet'],
    ['something else', 'a string', 'a string'],
  ])('that fails with %s is a 500 and a logged line, without a stack', async (_, thrown, line) => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info', format: 'logfmt' }, (written) => lines.push(written));
    const response = await app({ log, render: () => Promise.reject(thrown) }).request('/metrics');
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(`failed to render the metrics: ${line}\n`);
    expect(lines).toEqual([
      expect.stringContaining(
        `level=error msg="failed to render the metrics" path=/metrics error="${line}"\n`,
      ),
    ]);
  });
});

describe('/-/healthy', () => {
  it('is 200 even while there is no sample', async () => {
    const response = await app({ readiness: () => ({ ready: false, reason: 'none' }) }).request('/-/healthy');
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('healthy\n');
  });
});

describe('/-/ready', () => {
  it.each([
    [true, 200, 'last sample 2s ago'],
    [false, 503, 'no sample yet'],
  ])('with ready %s is %d and says why', async (ready, status, reason) => {
    const response = await app({ readiness: () => ({ ready, reason }) }).request('/-/ready');
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await response.text()).toBe(`${reason}\n`);
  });
});

describe('/', () => {
  it('links to the other pages', async () => {
    const response = await get('/');
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const page = await response.text();
    for (const path of ['/metrics', '/-/healthy', '/-/ready']) expect(page).toContain(`<a href="${path}">`);
    expect(page).toContain('1.2.3');
  });

  it('escapes what it shows', async () => {
    const page = await (await app({ version: '<script>"&' }).request('/')).text();
    expect(page).toContain('&lt;script&gt;&quot;&amp;');
    expect(page).not.toContain('<script>');
  });
});

describe('/readme', () => {
  it('is plain text', async () => {
    const response = await app({ readme: '# <b>\n' }).request('/readme');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
    expect(await response.text()).toBe('# <b>\n');
  });

  it('is a 404 in one line where it is not installed', async () => {
    const response = await app().request('/readme');
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('404 Not Found: README.md is not installed\n');
  });
});

describe('every answer', () => {
  it.each(['/', '/metrics', '/-/healthy', '/-/ready', '/nothing'])(
    'has the security headers: %s',
    async (path) => {
      const { headers } = await get(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    },
  );

  it.each(['/nothing', '/metrics/', '/metrics/x', '/-/'])(
    'is a plain 404 where nothing is: %s',
    async (path) => {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
      expect(await response.text()).toBe('404 Not Found\n');
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('is a plain 405 to %s', async (method) => {
    for (const path of ['/', '/metrics', '/-/healthy', '/-/ready']) {
      const response = await get(path, {}, method);
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(await response.text()).toBe('405 Method Not Allowed\n');
    }
  });

  it('is a 500 in one line after a defect of the exporter', async () => {
    const broken = app({
      readiness: () => {
        throw new TypeError('defect');
      },
    });
    const response = await broken.request('/-/ready');
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('failed to answer a request: defect\n');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});
