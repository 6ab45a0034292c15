import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../../src/base/errors.ts';
import { parseWebConfig } from '../../../src/web/config/parseWebConfig.ts';
import { multiplied } from '../../support/yaml.ts';

const HASH = `$2y$10$${'a'.repeat(53)}`;
const PASSWORD = 'hunter2';

function problem(text: string): string {
  try {
    parseWebConfig(text, 'web.yml');
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ExporterError);
    return String((thrown as Error).message);
  }
  return 'none';
}

describe('a web configuration file', () => {
  it('has all the settings of the toolkit', () => {
    const { values } = parseWebConfig(
      `
tls_server_config:
  cert_file: a.crt
  key_file: a.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
  curve_preferences: [X25519, CurveP256]
  prefer_server_cipher_suites: false
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: sameorigin
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Strict-Transport-Security: max-age=1
rate_limit:
  interval: 1.5s
  burst: 5
basic_auth_users:
  prometheus: ${HASH}
`,
      'web.yml',
    );
    expect(values.http_server_config?.http2).toBe(true);
    expect(values.tls_server_config?.prefer_server_cipher_suites).toBe(false);
    expect(values.rate_limit).toEqual({ interval: 1_500, burst: 5 });
    expect(values.tls_server_config?.client_allowed_sans).toEqual(['prometheus.example']);
    expect(values.http_server_config?.headers?.['X-XSS-Protection']).toBe('0');
    expect(values.basic_auth_users).toEqual(new Map([['prometheus', HASH.replace('$2y', '$2b')]]));
  });

  it.each([
    '',
    '# nothing\n',
    '---\n',
    '{}',
    'tls_server_config:\nbasic_auth_users:\nhttp_server_config: {headers: }\n',
    'basic_auth_users: {}\n',
  ])('may be as good as empty: %j', (text) => {
    const { values } = parseWebConfig(text, 'web.yml');
    expect(values.basic_auth_users?.size ?? 0).toBe(0);
    expect(values.tls_server_config ?? {}).toEqual({});
  });

  it('may look like the one in deploy/reference/web.md', () => {
    const page = readFileSync(new URL('../../../deploy/reference/web.md', import.meta.url), 'utf8');
    const [, example = ''] = /^```yaml\n(tls_server_config:\n.*?)^```$/ms.exec(page) ?? [];
    const { values } = parseWebConfig(example, 'web.yml');
    expect(Object.keys(values)).toHaveLength(3);
    expect(values.basic_auth_users?.size).toBe(1);
  });

  it('may have users of any name', () => {
    const text = `basic_auth_users:\n  __proto__: ${HASH}\n  123: ${HASH}\n  "ü b": ${HASH}\n`;
    expect(
      [...(parseWebConfig(text, 'web.yml').values.basic_auth_users ?? [])].map(([user]) => user),
    ).toEqual(['__proto__', '123', 'ü b']);
  });

  it('may share values by anchors', () => {
    const text = `basic_auth_users: &users\n  a: &hash ${HASH}\n  b: *hash\n`;
    expect(parseWebConfig(text, 'web.yml').values.basic_auth_users?.size).toBe(2);
  });
});

describe('a mistake is told with its line:', () => {
  it.each([
    [
      'an unknown key',
      '\nfoo: 1\n',
      'web.yml:2: unknown key "foo": expected one of tls_server_config, http_server_config, rate_limit, basic_auth_users',
    ],
    [
      'an unknown key further in',
      'http_server_config:\n  http2: true\n  header: {}\n',
      'web.yml:3: unknown key "header" in http_server_config: expected one of http2, headers',
    ],
    [
      'an unknown header',
      'http_server_config:\n  headers:\n    Server: x\n',
      'web.yml:3: unknown key "Server" in http_server_config.headers: expected one of Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security',
    ],
    [
      'a number of requests without a unit of time',
      'rate_limit:\n  burst: 1\n  interval: 10\n',
      'web.yml:3: rate_limit.interval: expected a duration like 500ms, 1.5s or 1h30m, or 0',
    ],
    [
      'a fraction of a request',
      'rate_limit: {burst: 1.5}\n',
      'web.yml:1: rate_limit.burst: expected a number from 0 to 999999999',
    ],
    ['a list', '- a\n', 'web.yml:1: expected a map'],
    ['a word', 'nonsense', 'web.yml:1: expected a map'],
    ['a section that is none', 'tls_server_config: 7\n', 'web.yml:1: tls_server_config: expected a map'],
    [
      'a list for a file',
      'tls_server_config:\n  cert_file: [7]\n',
      'web.yml:2: tls_server_config.cert_file: expected a string',
    ],
    [
      'a word for a switch',
      'http_server_config:\n  http2: maybe\n',
      'web.yml:2: http_server_config.http2: expected true or false',
    ],
    [
      'a version that is none',
      'tls_server_config:\n  min_version: TLS14\n',
      'web.yml:2: tls_server_config.min_version: expected one of TLS10, TLS11, TLS12, TLS13',
    ],
    [
      'a type that is none',
      'tls_server_config:\n  client_auth_type: Always\n',
      'web.yml:2: tls_server_config.client_auth_type: expected one of NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert',
    ],
    [
      'one of several ciphers',
      'tls_server_config:\n  cipher_suites:\n    - TLS_AES_128_GCM_SHA256\n    - RC4\n',
      /^web\.yml:4: tls_server_config\.cipher_suites\.1: expected one of TLS_AES_128_GCM_SHA256, .*$/,
    ],
    [
      'curves that are no list',
      'tls_server_config:\n  curve_preferences: X25519\n',
      'web.yml:2: tls_server_config.curve_preferences: expected a list',
    ],
    [
      'a header of several lines',
      'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nb"\n',
      'web.yml:3: http_server_config.headers.Content-Security-Policy: expected an HTTP header value on one line',
    ],
    [
      'a header with a value of its own',
      'http_server_config:\n  headers:\n    X-Frame-Options: ALLOW\n',
      'web.yml:3: http_server_config.headers.X-Frame-Options: expected one of deny, sameorigin',
    ],
    [
      'users that are a list',
      'basic_auth_users: [a]\n',
      'web.yml:1: basic_auth_users: expected a map of users to bcrypt hashes',
    ],
    [
      'a user with a colon',
      `basic_auth_users:\n  a: ${HASH}\n  "b:c": ${HASH}\n`,
      'web.yml:3: basic_auth_users: expected a user name without a colon',
    ],
    ['bad YAML', 'a: b: c\n', /^web\.yml:1: invalid YAML: [a-z ]+ at column \d+$/],
    [
      'a key twice',
      `basic_auth_users:\n  a: ${HASH}\n  a: ${HASH}\n`,
      'web.yml:3: invalid YAML: duplicate key at column 3',
    ],
    [
      'an alias of nothing',
      'tls_server_config:\n  cert_file: *a\n',
      'web.yml:2: invalid YAML: alias without an anchor at column 14',
    ],
    [
      'aliases of aliases',
      multiplied('tls_server_config: '),
      'web.yml:1: invalid YAML: excessive expansion of aliases at column 1',
    ],
    ['two documents', 'a: 1\n---\nb: 2\n', /^web\.yml:2: invalid YAML: multiple docs at column 1$/],
  ])('%s', (_, text, expected) => {
    if (typeof expected === 'string') expect(problem(text)).toBe(expected);
    else expect(problem(text)).toMatch(expected);
  });

  it.each([
    ['a password', PASSWORD],
    ['a password like an alias', `*${PASSWORD}`],
    ['a password like a tag', `!${PASSWORD}`],
    ['a password that breaks off', `"${PASSWORD}`],
    ['a password like a block', `|${PASSWORD}`],
    ['a password in the form of another hash', `$apr1$${PASSWORD}$${'a'.repeat(22)}`],
    ['a hash of another kind', HASH.replace('$2y', '$2x')],
    ['a hash too cheap', HASH.replace('$10', '$03')],
    ['a hash too dear', HASH.replace('$10', '$19')],
    ['a hash cut off', HASH.slice(0, -1)],
    ['a hash and more', `${HASH}a`],
    ['nothing', ''],
    ['a number', '7'],
  ])('%s where a hash should be, without showing it or the user', (_, value) => {
    const line = problem(`basic_auth_users:\n  other: ${HASH}\n  secretive: ${value}\n`);
    expect(line).toMatch(/^web\.yml:[34]: /);
    expect(line).not.toContain(PASSWORD);
    expect(line).not.toContain('secretive');
    expect(line).not.toContain('aaaa');
  });

  it('whatever the text', () => {
    const words = [
      'basic_auth_users',
      'tls_server_config',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '&a',
      '*a',
      '"',
      '{',
      '}',
      HASH,
    ];
    const texts = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...words)).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(problem(text)).toMatch(/^none$|^web\.yml:\d+: [^\n]+$/);
      }),
    );
  });
});
