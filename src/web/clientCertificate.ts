import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';
import type { TlsSettings } from './config/webConfig.ts';

/** Why the client of a connection may not come in, in words for the log; undefined where it may. */
export function refusalOf(socket: TLSSocket, settings: TlsSettings): string | undefined {
  const { clientAuth, allowedSans } = settings;
  if (clientAuth === 'NoClientCert' || clientAuth === 'RequestClientCert') return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    return clientAuth === 'VerifyClientCertIfGiven' ? undefined : 'no client certificate';
  }
  if (clientAuth !== 'RequireAnyClientCert' && !socket.authorized) {
    return `client certificate not accepted: ${socket.authorizationError}`;
  }
  if (allowedSans === undefined) return undefined;
  const names = subjectAltNames(certificate.subjectAltName);
  return names.some((name) => allowedSans.includes(name))
    ? undefined
    : 'no subject alternative name of the client certificate is allowed';
}

/**
 * The DNS names, IP addresses, e-mail addresses and URIs of what node:crypto writes in one line:
 * `DNS:a.example, IP Address:192.0.2.1, URI:"spiffe://a,b"`. It quotes as JSON what could be mistaken for more. What it
 * quotes in another way is no name.
 */
export function subjectAltNames(line: string | undefined): string[] {
  const entries = (line ?? '').matchAll(/(?:^|, )([^:",]+):("(?:[^"\\]|\\.)*"|[^,]*)/g);
  return [...entries].flatMap(([, kind = '', value = '']) =>
    ['DNS', 'IP Address', 'email', 'URI'].includes(kind) ? namesOf(kind, value) : [],
  );
}

function namesOf(kind: string, value: string): string[] {
  if (value.startsWith('"')) return unquoted(value);
  // OpenSSL writes an IPv6 address in eight groups of capitals.
  return [kind === 'IP Address' && isIPv6(value) ? ipaddr.parse(value).toString() : value];
}

function unquoted(value: string): string[] {
  try {
    return [String(JSON.parse(value))];
  } catch {
    return [];
  }
}
