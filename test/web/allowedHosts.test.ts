import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { isAllowedHost, parseAllowedHost } from '../../src/web/allowedHosts.ts';
import { plainApp } from './served.ts';

const ALLOWED = ['DB-7.example.org', '.corp.example'].map(parseAllowedHost);

describe('a Host', () => {
  it.each([
    'db-7.example.org',
    'db-7.example.org:10069',
    'DB-7.Example.Org.',
    'corp.example',
    'a.b.corp.example:1',
    'localhost',
    'localhost:10069',
    'x.localhost',
    '127.0.0.1',
    '192.0.2.1:10069',
    '[::1]',
    '[2001:db8::1]:10069',
    undefined,
  ])('%s is allowed', (host) => {
    expect(isAllowedHost(host, ALLOWED)).toBe(true);
  });

  it.each([
    'rebinding.evil',
    'evil:10069',
    'x.db-7.example.org',
    'db-7.example.org.evil',
    'evilcorp.example',
    'localhost.evil',
    '127.0.0.1.evil',
    '1.2.3',
    '[db-7.example.org',
    'db-7.example.org:x',
    '.corp.example.evil',
    '',
  ])('%j is not', (host) => {
    expect(isAllowedHost(host, ALLOWED)).toBe(false);
  });

  it('is any where none is named', () => {
    expect(isAllowedHost('rebinding.evil', [])).toBe(true);
  });
});

describe('a name for --web.allowed-hosts', () => {
  it.each(['', '.', '*', '*.example.org', 'a b', 'a:80', '192.0.2.1', '..example.org', 'http://a'])(
    'cannot be %j',
    (text) => {
      expect(() => parseAllowedHost(text)).toThrow(ExporterError);
    },
  );
});

describe('a request to another host', () => {
  it.each(['/', '/metrics', '/-/healthy', '/nothing'])(
    'is a 421 for %s, with the security headers',
    async (path) => {
      const app = plainApp({ allowedHosts: ALLOWED });
      const answer = await app.request(path, { headers: { host: 'rebinding.evil:10069' } });
      expect(answer.status).toBe(421);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(await answer.text()).toBe('421 Misdirected Request: this host is not in --web.allowed-hosts\n');
      const allowed = await app.request(path, { headers: { host: 'db-7.example.org:10069' } });
      expect(allowed.status).not.toBe(421);
    },
  );
});
