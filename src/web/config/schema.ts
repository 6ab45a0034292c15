import { validateHeaderValue } from 'node:http';
import { z } from 'zod';
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
const hash = z
  .string({ error: 'expected a bcrypt hash' })
  .regex(HASH, 'expected a bcrypt hash of cost 4 to 18: $2b$10$ and 53 more characters')
  // The three letters name the same algorithm, once that of an implementation without bugs; the library knows two.
  .transform((text) => text.replace(/^\$2[ay]/, '$2b'));

const user = z.coerce.string().refine((name) => !name.includes(':'), 'expected a user name without a colon');

const text = z.string({ error: 'expected a string' });
const flag = z
  .enum([...YES, ...NO], { error: 'expected true or false' })
  .transform((word) => YES.some((yes) => yes === word));
const anyOf = <const Word extends string, const Also extends string = never>(
  words: readonly Word[],
  also: readonly Also[] = [],
) => z.enum([...words, ...also], { error: `expected one of ${words.join(', ')}` });
const listOf = <T extends z.ZodType>(item: T) => z.array(item, { error: 'expected a list' }).nullish();
const keysOf = <T extends object>(table: T) => anyOf(Object.keys(table) as (string & keyof T)[]);

const headerValue = text.refine(isHeaderValue, 'expected an HTTP header value on one line');

const headers = mapOf({
  'Content-Security-Policy': headerValue.nullish(),
  'X-Frame-Options': anyOf(['deny', 'sameorigin'], ['']).nullish(),
  'X-Content-Type-Options': anyOf(['nosniff'], ['']).nullish(),
  'X-XSS-Protection': headerValue.nullish(),
  'Strict-Transport-Security': headerValue.nullish(),
});

const tls = mapOf({
  cert: text.nullish(),
  cert_file: text.nullish(),
  key: text.nullish(),
  key_file: text.nullish(),
  client_ca: text.nullish(),
  client_ca_file: text.nullish(),
  // RequireClientCert is how the toolkit once misspelt RequireAnyClientCert.
  client_auth_type: anyOf([...CLIENT_AUTH_TYPES], ['', 'RequireClientCert']).nullish(),
  client_allowed_sans: listOf(text),
  min_version: keysOf(TLS_VERSIONS).nullish(),
  max_version: keysOf(TLS_VERSIONS).nullish(),
  cipher_suites: listOf(anyOf([...TLS13_CIPHERS, ...(Object.keys(CIPHERS) as (keyof typeof CIPHERS)[])])),
  curve_preferences: listOf(keysOf(CURVES)),
  prefer_server_cipher_suites: flag.nullish(),
});

const http = mapOf({
  // Only HTTP/1.1 is spoken, which every client falls back to: nothing is lost by either value.
  http2: flag.nullish(),
  headers: headers.nullish(),
});

const interval = text.transform((value, context) => {
  const milliseconds = parseGoDuration(value);
  if (milliseconds !== undefined) return milliseconds;
  context.addIssue({ code: 'custom', message: 'expected a duration like 500ms, 1.5s or 1h30m, or 0' });
  return z.NEVER;
});

const rateLimit = mapOf({
  interval: interval.nullish(),
  burst: z
    .string({ error: 'expected a number' })
    .regex(/^\d{1,9}$/, 'expected a number from 0 to 999999999')
    .transform(Number)
    .nullish(),
});

const sections = mapOf({
  tls_server_config: tls.nullish(),
  http_server_config: http.nullish(),
  rate_limit: rateLimit.nullish(),
  basic_auth_users: z.map(user, hash, { error: 'expected a map of users to bcrypt hashes' }).nullish(),
});

/** An empty file asks for nothing. */
export const webConfigSchema = z.preprocess((values) => values ?? {}, sections);
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
