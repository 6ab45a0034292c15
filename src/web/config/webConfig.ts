import type { TlsOptions } from 'node:tls';
import type { Rate } from '../tokenBucket.ts';

/** What the web configuration file says, checked and ready for use. */
export interface WebConfig {
  /** Undefined for plain HTTP. The same object for as long as nothing of TLS changes. */
  readonly tls: TlsSettings | undefined;
  /** bcrypt hashes by user, in the form `$2b$`; empty where nobody is asked for a password. */
  readonly users: ReadonlyMap<string, string>;
  /** Headers for every answer, by name; an empty value takes a header away. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of requests, over all clients; undefined for any number. */
  readonly rateLimit: Rate | undefined;
}

export interface TlsSettings {
  /** For tls.createServer; the certificate and the key are in it. */
  readonly options: TlsOptions;
  readonly clientAuth: ClientAuthType;
  /** The client's certificate must name one of these; undefined where it may name anything. */
  readonly allowedSans: readonly string[] | undefined;
}

/** Go's tls.ClientAuthType, which exporter-toolkit names in its files. */
export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number];

/** Without a file. */
export const NO_WEB_CONFIG: WebConfig = {
  tls: undefined,
  users: new Map(),
  headers: {},
  rateLimit: undefined,
};
