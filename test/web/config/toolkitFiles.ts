import { createSecureContext } from 'node:tls';
import { Authority } from '../../support/certificates.ts';

// What exporter-toolkit says to web configuration files: those of its own test data, told in other words, and those on which
// YAML for Go and YAML for Node.js could be of two minds.

/** Rows of the table in deploy/reference/web.md, by what stands at their beginning. */
export const DIFFERENCES = {
  clientCa: '`client_auth_type` that verifies clients, without a client CA',
  noCertificates: 'a client CA without a PEM certificate',
  noCertificate: '`tls_server_config` without a certificate',
  both: '`cert` and `cert_file`, or `key`, or `client_ca`',
  noVersion: '`min_version` above `max_version`',
  curve: '`X25519MLKEM768`',
  http2: '`http2`',
  headerValue: 'a header of several lines',
  emptyHeader: '`X-Frame-Options` or `X-Content-Type-Options` without a value',
  hash: 'hashes',
  userName: 'a user name with a colon',
  noBurst: '`rate_limit` with an `interval` and a `burst` of 0',
  interval: '`interval` without a unit, or below 0',
  yaml: 'YAML',
} as const;

export interface ToolkitFile {
  readonly what: string;
  /** Undefined for a file that is not there. */
  readonly yaml: string | undefined;
  /** `serving` for what it finds out only when it begins to serve. */
  readonly toolkit: 'accepts' | 'refuses' | 'refuses, serving';
  /** With settings that 0.8 does not know, which refuses the file. */
  readonly isNew?: boolean;
  /** The line that refuses it, without the file's name; undefined where it is accepted. */
  readonly refused?: RegExp;
  /** Where the exporter is of another mind than the toolkit. */
  readonly difference?: keyof typeof DIFFERENCES;
}

/** `server.crt`, `server.key` and `ca.crt` in `directory`, which the files name. */
export function makeCertificates(directory: string): void {
  new Authority(directory).issue('server');
}

function hasPostQuantumCurve(): boolean {
  try {
    createSecureContext({ ecdhCurve: 'X25519MLKEM768' });
    return true;
  } catch {
    return false;
  }
}

const CERTIFICATE = '  cert_file: server.crt\n  key_file: server.key\n';
const tls = (...lines: readonly string[]) =>
  `tls_server_config:\n${CERTIFICATE}${lines.map((line) => `  ${line}\n`).join('')}`;
const clients = (type: string) => `client_auth_type: ${type}`;
const AUTHORITY = 'client_ca_file: ca.crt';
const GIVEN = clients('VerifyClientCertIfGiven');
const http = (...lines: readonly string[]) =>
  `http_server_config:\n${lines.map((line) => `  ${line}\n`).join('')}`;
const header = (line: string) => http('headers:', `  ${line}`);
const users = (...lines: readonly string[]) =>
  `basic_auth_users:\n${lines.map((line) => `  ${line}\n`).join('')}`;
const hash = (begin: string) => `${begin}${'a'.repeat(53)}`;
const rate = (interval: string, burst: string) => `rate_limit:\n  interval: ${interval}\n  burst: ${burst}\n`;

const CIPHERS = [
  ...['AES_128_GCM_SHA256', 'AES_256_GCM_SHA384', 'CHACHA20_POLY1305_SHA256'],
  ...['ECDSA', 'RSA'].flatMap((kind) =>
    [
      ...['AES_128_GCM_SHA256', 'AES_256_GCM_SHA384', 'CHACHA20_POLY1305_SHA256'],
      ...['AES_128_CBC_SHA', 'AES_256_CBC_SHA'],
    ].map((cipher) => `ECDHE_${kind}_WITH_${cipher}`),
  ),
  ...['AES_128_CBC_SHA', 'AES_256_CBC_SHA', 'AES_128_GCM_SHA256', 'AES_256_GCM_SHA384'].map(
    (cipher) => `RSA_WITH_${cipher}`,
  ),
].map((cipher) => `TLS_${cipher}`);

/** Header values that YAML has other types for. */
export const LOOK_ALIKES = http(
  'headers:',
  ...['  Content-Security-Policy: 1.50', '  X-XSS-Protection: 0', '  Strict-Transport-Security: True'],
);

const OWN_TEST_DATA: readonly ToolkitFile[] = [
  { what: 'no file', yaml: undefined, toolkit: 'refuses', refused: /ENOENT/ },
  { what: 'an empty file', yaml: '', toolkit: 'accepts' },
  { what: 'a word', yaml: 'junk\n', toolkit: 'refuses', refused: /^1: expected a map$/ },
  {
    what: 'an unknown key',
    yaml: 'tls_server_config:\n  cert_fil: server.crt\n',
    toolkit: 'refuses',
    refused: /^2: unknown key "cert_fil" in tls_server_config/,
  },
  {
    what: 'an empty cert_file',
    yaml: 'tls_server_config:\n  cert_file: ""\n  key_file: server.key\n',
    toolkit: 'refuses',
    refused: /cert_file is missing$/,
  },
  {
    what: 'an empty cert',
    yaml: 'tls_server_config:\n  cert: ""\n  key_file: server.key\n',
    toolkit: 'refuses',
    refused: /cert_file is missing$/,
  },
  {
    what: 'an empty key_file',
    yaml: 'tls_server_config:\n  cert_file: server.crt\n  key_file: ""\n',
    toolkit: 'refuses',
    refused: /key_file is missing$/,
  },
  {
    what: 'an empty key',
    yaml: 'tls_server_config:\n  cert_file: server.crt\n  key: ""\n',
    toolkit: 'refuses',
    refused: /key_file is missing$/,
  },
  {
    what: 'nothing but a client_auth_type that is none',
    yaml: 'tls_server_config:\n  cert_file: ""\n  key_file: ""\n  client_auth_type: x\n',
    toolkit: 'refuses',
    refused: /client_auth_type: expected one of /,
  },
  ...(
    [
      ['a certificate', 'gone', 'server.key', 'cert_file'],
      ['a key', 'server.crt', 'gone', 'key_file'],
      ['both', 'gone', 'gone', 'cert_file'],
    ] as const
  ).map(
    ([what, cert, key, named]): ToolkitFile => ({
      what: `${what} in a file that is not there`,
      yaml: `tls_server_config:\n  cert_file: ${cert}\n  key_file: ${key}\n`,
      toolkit: 'refuses',
      refused: new RegExp(`${named}: cannot be read: .*\\(ENOENT\\)$`),
    }),
  ),
  {
    what: 'a client CA without client_auth_type',
    yaml: tls('client_ca_file: /dev/null'),
    toolkit: 'refuses',
    refused: /client_ca_file: requires client_auth_type$/,
  },
  {
    what: 'a client CA that is not there',
    yaml: tls(clients('RequireAnyClientCert'), 'client_ca_file: gone'),
    toolkit: 'refuses',
    refused: /client_ca_file: cannot be read: .*\(ENOENT\)$/,
  },
  {
    what: 'a client CA that is no certificate',
    yaml: tls(clients('RequireAndVerifyClientCert'), 'client_ca_file: server.key'),
    toolkit: 'accepts',
    refused: /client_ca_file: expected PEM certificates/,
    difference: 'noCertificates',
  },
  {
    what: 'a password where its hash should be',
    yaml: `${tls()}${users('john: doe')}`,
    toolkit: 'refuses',
    refused: /basic_auth_users: expected a bcrypt hash/,
  },
  {
    what: 'an invented cipher',
    yaml: tls(GIVEN, AUTHORITY, 'cipher_suites: [TLS_RSA_WITH_AES_2048]'),
    toolkit: 'refuses',
    refused: /cipher_suites\.0: expected one of /,
  },
  {
    what: 'an invented curve',
    yaml: tls(GIVEN, AUTHORITY, 'curve_preferences: [CurveP257]'),
    toolkit: 'refuses',
    refused: /curve_preferences\.0: expected one of /,
  },
  {
    what: 'an invented version',
    yaml: tls(GIVEN, AUTHORITY, 'min_version: TLS111'),
    toolkit: 'refuses',
    refused: /min_version: expected one of /,
  },
  ...['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'].flatMap((type): ToolkitFile[] => [
    {
      what: `${type} without a client CA`,
      yaml: tls(clients(type)),
      toolkit: 'accepts',
      refused: new RegExp(`client_auth_type: ${type} requires client_ca_file$`),
      difference: 'clientCa',
    },
    { what: `${type} with a client CA`, yaml: tls(clients(type), AUTHORITY), toolkit: 'accepts' },
  ]),
  ...['RequireAnyClientCert', 'RequireClientCert', 'RequestClientCert'].flatMap((type): ToolkitFile[] => [
    { what: `${type} without a client CA`, yaml: tls(clients(type)), toolkit: 'accepts' },
    { what: `${type} with a client CA`, yaml: tls(clients(type), AUTHORITY), toolkit: 'accepts' },
  ]),
  ...['NoClientCert', '""'].map(
    (type): ToolkitFile => ({
      what: `${type} for a client_auth_type`,
      yaml: tls(clients(type)),
      toolkit: 'accepts',
    }),
  ),
  {
    what: 'all ciphers',
    yaml: tls(GIVEN, AUTHORITY, `cipher_suites: [${CIPHERS.join(', ')}]`),
    toolkit: 'accepts',
  },
  {
    what: 'some ciphers, of which the client chooses',
    yaml: tls(
      ...[
        'cipher_suites:',
        '- TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
        '- TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      ],
      ...['prefer_server_cipher_suites: false', 'min_version: TLS12', 'max_version: TLS12'],
    ),
    toolkit: 'accepts',
  },
  {
    what: 'all curves',
    yaml: tls('curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]'),
    toolkit: 'accepts',
  },
  {
    what: 'a curve of Go 1.24',
    yaml: tls('curve_preferences: [X25519, X25519MLKEM768]'),
    toolkit: 'accepts',
    isNew: true,
    ...(hasPostQuantumCurve()
      ? {}
      : { refused: /^4: .*curve_preferences\.1: X25519MLKEM768 is unknown to OpenSSL / }),
    difference: 'curve',
  },
  {
    what: 'some curves',
    yaml: tls('curve_preferences: [CurveP521]', 'min_version: TLS13'),
    toolkit: 'accepts',
  },
  {
    what: 'ciphers without that of HTTP/2, and HTTP/2 off',
    yaml: `${tls('cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]', 'max_version: TLS12')}${http('http2: false')}`,
    toolkit: 'accepts',
  },
  {
    what: 'ciphers without that of HTTP/2, and HTTP/2 on',
    yaml: tls('cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]', 'max_version: TLS12'),
    toolkit: 'refuses, serving',
    difference: 'http2',
  },
  {
    what: 'all headers, one of them a number',
    yaml: http(
      'headers:',
      '  X-Frame-Options: deny',
      '  Strict-Transport-Security: max-age=31536000; includeSubDomains',
      '  X-Content-Type-Options: nosniff',
      '  X-XSS-Protection: 1',
      `  Content-Security-Policy: "default-src 'self' *.example.org"`,
    ),
    toolkit: 'accepts',
  },
  {
    what: 'a header that is not to be set',
    yaml: header('Content-Type: foo'),
    toolkit: 'refuses',
    refused: /unknown key "Content-Type"/,
  },
  {
    what: 'another X-Frame-Options',
    yaml: header('X-Frame-Options: foo'),
    toolkit: 'refuses',
    refused: /expected one of deny, sameorigin$/,
  },
  {
    what: 'another X-Content-Type-Options',
    yaml: header('X-Content-Type-Options: sniff'),
    toolkit: 'refuses',
    refused: /expected one of nosniff$/,
  },
  {
    what: 'names of clients',
    yaml: tls(clients('RequireAndVerifyClientCert'), AUTHORITY, 'client_allowed_sans: [one, two]'),
    toolkit: 'accepts',
    isNew: true,
  },
  {
    what: 'names of clients who need no certificate',
    yaml: tls('client_allowed_sans: [one]'),
    toolkit: 'refuses',
    refused: /client_allowed_sans: requires client_auth_type/,
  },
  {
    what: 'names of clients who may come without a certificate',
    yaml: tls(GIVEN, AUTHORITY, 'client_allowed_sans: [one]'),
    toolkit: 'refuses',
    refused: /client_allowed_sans: requires client_auth_type/,
  },
  { what: 'a rate limit that is off', yaml: rate('0', '0'), toolkit: 'accepts', isNew: true },
  {
    what: 'a rate limit that nothing passes',
    yaml: rate('"1s"', '0'),
    toolkit: 'accepts',
    isNew: true,
    refused: /^3: rate_limit\.burst: expected at least 1/,
    difference: 'noBurst',
  },
  {
    what: 'a rate limit and headers',
    yaml: `${rate('1h', '1')}${header('X-Frame-Options: deny')}`,
    toolkit: 'accepts',
    isNew: true,
  },
  {
    what: 'users of several costs, with TLS',
    yaml: `${tls()}${users(`alice: ${hash('$2y$12$')}`, `bob: ${hash('$2y$18$')}`, `carol: ${hash('$2b$10$')}`)}`,
    toolkit: 'accepts',
  },
  { what: 'users without TLS', yaml: users(`alice: ${hash('$2a$14$')}`), toolkit: 'accepts' },
  {
    what: 'a key of a proposal that no release has',
    yaml: `auth_excluded_paths: [/metrics]\n${users(`alice: ${hash('$2a$14$')}`)}`,
    toolkit: 'refuses',
    refused: /^1: unknown key "auth_excluded_paths"/,
  },
];

const FURTHER: readonly ToolkitFile[] = [
  { what: 'header values that look like numbers, dates and words', yaml: LOOK_ALIKES, toolkit: 'accepts' },
  {
    what: 'a header value that is a list',
    yaml: header('X-XSS-Protection: [1]'),
    toolkit: 'refuses',
    refused: /expected a string$/,
  },
  ...['yes', 'On', 'y', 'True', 'off', 'N', 'false'].map(
    (word): ToolkitFile => ({
      what: `http2: ${word}`,
      yaml: http(`http2: ${word}`),
      toolkit: 'accepts',
    }),
  ),
  { what: 'http2: 1', yaml: http('http2: 1'), toolkit: 'refuses', refused: /expected true or false$/ },
  { what: 'http2: "true"', yaml: http('http2: "true"'), toolkit: 'refuses', difference: 'yaml' },
  {
    what: 'X-Frame-Options without a value',
    yaml: header('X-Frame-Options: ""'),
    toolkit: 'refuses',
    difference: 'emptyHeader',
  },
  {
    what: 'two documents',
    yaml: '{}\n---\n{}\n',
    toolkit: 'accepts',
    refused: /^2: invalid YAML: multiple docs/,
    difference: 'yaml',
  },
  {
    what: 'a merge key',
    yaml: 'http_server_config:\n  <<: {http2: true}\n',
    toolkit: 'accepts',
    refused: /^2: unknown key "<<"/,
    difference: 'yaml',
  },
  {
    what: 'a key twice',
    yaml: http('http2: true', 'http2: true'),
    toolkit: 'refuses',
    refused: /^3: invalid YAML: duplicate key/,
  },
  {
    what: 'a file whose name is a number',
    yaml: 'tls_server_config:\n  cert_file: 7\n  key_file: server.key\n',
    toolkit: 'refuses',
    refused: /cert_file: cannot be read: .*7: no such file or directory \(ENOENT\)$/,
  },
  { what: 'a user whose name is a number', yaml: users(`0x10: ${hash('$2y$10$')}`), toolkit: 'accepts' },
  {
    what: 'a version and no certificate',
    yaml: 'tls_server_config:\n  min_version: TLS13\n',
    toolkit: 'accepts',
    refused: /cert_file is missing$/,
    difference: 'noCertificate',
  },
  { what: 'a version without a value', yaml: tls('min_version:'), toolkit: 'accepts' },
  {
    what: 'versions of which none is left',
    yaml: tls('min_version: TLS13', 'max_version: TLS12'),
    toolkit: 'accepts',
    refused: /min_version: above max_version/,
    difference: 'noVersion',
  },
  {
    what: 'a certificate twice',
    yaml: tls('cert: x'),
    toolkit: 'accepts',
    isNew: true,
    refused: /cert_file: conflicts with cert/,
    difference: 'both',
  },
  {
    what: 'a user name with a colon',
    yaml: users(`"a:b": ${hash('$2y$10$')}`),
    toolkit: 'accepts',
    refused: /expected a user name without a colon$/,
    difference: 'userName',
  },
  ...['$2x$10$', '$2y$19$'].map(
    (begin): ToolkitFile => ({
      what: `a hash that begins with ${begin}`,
      yaml: users(`a: ${hash(begin)}`),
      toolkit: 'accepts',
      refused: /expected a bcrypt hash of cost 4 to 18/,
      difference: 'hash',
    }),
  ),
  {
    what: 'a header of two lines',
    yaml: header('Content-Security-Policy: "a\\nb"'),
    toolkit: 'accepts',
    refused: /expected an HTTP header value on one line$/,
    difference: 'headerValue',
  },
  ...['5', '-1s'].map(
    (interval): ToolkitFile => ({
      what: `an interval of ${interval}`,
      yaml: rate(interval, '1'),
      toolkit: 'accepts',
      isNew: true,
      refused: /^2: rate_limit\.interval: expected a duration like 500ms, 1\.5s or 1h30m, or 0$/,
      difference: 'interval',
    }),
  ),
  {
    what: 'an interval that is none',
    yaml: rate('1d', '1'),
    toolkit: 'refuses',
    refused: /rate_limit\.interval: expected a duration/,
  },
  {
    what: 'a burst that is no number',
    yaml: rate('1s', 'many'),
    toolkit: 'refuses',
    refused: /rate_limit\.burst: expected a number/,
  },
];

export const TOOLKIT_FILES = [...OWN_TEST_DATA, ...FURTHER];
