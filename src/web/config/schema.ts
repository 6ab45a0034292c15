import { validateHeaderValue } from 'node:http';
import * as z from 'zod/mini';
import { mapOf } from '../../base/parseYaml.ts';
import { parseGoDuration } from './goDuration.ts';
import { CIPHERS, CURVES, TLS_VERSIONS, TLS13_CIPHERS } from './tlsNames.ts';
import { CLIENT_AUTH_TYPES } from './webConfig.ts';

// The format of prometheus/exporter-toolkit, docs/web-configuration.md. A key without value is as good as absent there. Scalars
// come as the text that stands in the file, which Go takes for a string wherever it expects one.

/** As YAML 1.1 writes what is true and what is not. */
const YES = ['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'y', 'Y'] as const;
const NO = ['false', 'False', 'FALSE', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'n', 'N'] as const;

/** bcrypt of these costs: below 4 there is none, and above 18 each attempt would take a quarter of a minute and more. */
const HASH = /^\$2[aby]\$(?:0[4-9]|1[0-8])\$[./A-Za-z0-9]{53}$/;

/** Never shown in messages, whatever stands there. */
const hash = z.pipe(
  z
    .string({ error: 'expected a bcrypt hash' })
    .check(z.regex(HASH, 'expected a bcrypt hash of cost 4 to 18: $2b$10$ and 53 more characters')),
  // The three letters name the same algorithm, once that of an implementation without bugs; the library knows two.
  z.transform((text: string) => text.replace(/^\$2[ay]/, '$2b')),
);

const user = z.coerce
  .string()
  .check(z.refine((name) => !name.includes(':'), 'expected a user name without a colon'));

const text = z.string({ error: 'expected a string' });
const flag = z.pipe(
  z.enum([...YES, ...NO], { error: 'expected true or false' }),
  z.transform((word: (typeof YES | typeof NO)[number]) => YES.some((yes) => yes === word)),
);
const anyOf = <const Word extends string, const Also extends string = never>(
  words: readonly Word[],
  also: readonly Also[] = [],
) => z.enum([...words, ...also], { error: `expected one of ${words.join(', ')}` });
const listOf = <T extends z.ZodMiniType>(item: T) => z.nullish(z.array(item, { error: 'expected a list' }));
const keysOf = <T extends object>(table: T) => anyOf(Object.keys(table) as (string & keyof T)[]);

const headerValue = text.check(z.refine(isHeaderValue, 'expected an HTTP header value on one line'));

const headers = mapOf({
  'Content-Security-Policy': z.nullish(headerValue),
  'X-Frame-Options': z.nullish(anyOf(['deny', 'sameorigin'], [''])),
  'X-Content-Type-Options': z.nullish(anyOf(['nosniff'], [''])),
  'X-XSS-Protection': z.nullish(headerValue),
  'Strict-Transport-Security': z.nullish(headerValue),
});

const tls = mapOf({
  cert: z.nullish(text),
  cert_file: z.nullish(text),
  key: z.nullish(text),
  key_file: z.nullish(text),
  client_ca: z.nullish(text),
  client_ca_file: z.nullish(text),
  // RequireClientCert is how the toolkit once misspelt RequireAnyClientCert.
  client_auth_type: z.nullish(anyOf([...CLIENT_AUTH_TYPES], ['', 'RequireClientCert'])),
  client_allowed_sans: listOf(text),
  min_version: z.nullish(keysOf(TLS_VERSIONS)),
  max_version: z.nullish(keysOf(TLS_VERSIONS)),
  cipher_suites: listOf(anyOf([...TLS13_CIPHERS, ...(Object.keys(CIPHERS) as (keyof typeof CIPHERS)[])])),
  curve_preferences: listOf(keysOf(CURVES)),
  prefer_server_cipher_suites: z.nullish(flag),
});

const http = mapOf({
  // Only HTTP/1.1 is spoken, which every client falls back to: nothing is lost by either value.
  http2: z.nullish(flag),
  headers: z.nullish(headers),
});

const interval = z.pipe(
  text,
  z.transform((value: string, context) => {
    const milliseconds = parseGoDuration(value);
    if (milliseconds !== undefined) return milliseconds;
    const message = 'expected a duration like 500ms, 1.5s or 1h30m, or 0';
    context.issues.push({ code: 'custom', input: value, message });
    return z.NEVER;
  }),
);

const burst = z.pipe(
  z
    .string({ error: 'expected a number' })
    .check(z.regex(/^\d{1,9}$/, 'expected a number from 0 to 999999999')),
  z.transform((digits: string) => Number(digits)),
);

const rateLimit = mapOf({
  interval: z.nullish(interval),
  burst: z.nullish(burst),
});

const sections = mapOf({
  tls_server_config: z.nullish(tls),
  http_server_config: z.nullish(http),
  rate_limit: z.nullish(rateLimit),
  basic_auth_users: z.nullish(z.map(user, hash, { error: 'expected a map of users to bcrypt hashes' })),
});

/** An empty file asks for nothing. */
export const webConfigSchema = z.pipe(
  z.transform((values: unknown) => values ?? {}),
  sections,
);
export type WebConfigFile = z.infer<typeof webConfigSchema>;
export type TlsSection = z.infer<typeof tls>;

function isHeaderValue(value: string): boolean {
  try {
    validateHeaderValue('x', value);
    return true;
  } catch {
    return false;
  }
}
