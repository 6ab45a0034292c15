import { X509Certificate } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS, type TlsOptions } from 'node:tls';
import type { ParsedWebConfig } from './parseWebConfig.ts';
import type { TlsSection } from './schema.ts';
import { CIPHERS, CURVES, TLS_VERSIONS, TLS13_CIPHERS, type TlsVersionName } from './tlsNames.ts';
import type { ClientAuthType, TlsSettings } from './webConfig.ts';

type ReadNamed = (file: string) => Promise<Buffer>;

const SECTION = 'tls_server_config';

/** What `tls_server_config` asks for; undefined where it is empty. Throws an ExporterError that names the line. */
export async function loadTls(parsed: ParsedWebConfig, read: ReadNamed): Promise<TlsSettings | undefined> {
  const section = parsed.values.tls_server_config ?? {};
  if (Object.values(section).every(isUnset)) return undefined;
  const clientAuth = clientAuthOf(section);
  refuseContradictions(parsed, section, clientAuth);
  refuseUnknownCurves(parsed, section);
  const [cert, key, ca] = [
    await pem(parsed, section, 'cert', read),
    await pem(parsed, section, 'key', read),
    await pem(parsed, section, 'client_ca', read),
  ];
  const options: TlsOptions = {
    cert,
    key,
    // Without, the public authorities would count.
    ca: ca ?? [],
    minVersion: TLS_VERSIONS[section.min_version ?? 'TLS12'],
    maxVersion: TLS_VERSIONS[section.max_version ?? 'TLS13'],
    honorCipherOrder: section.prefer_server_cipher_suites ?? true,
    requestCert: clientAuth !== 'NoClientCert',
    // Whether it will do is decided by its type, once the handshake is over.
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    ...ciphersOf(section),
    ...curvesOf(section),
  };
  if (ca !== undefined) checkCertificates(parsed, section, ca);
  try {
    createSecureContext(options);
  } catch (thrown) {
    throw parsed.errorAt([SECTION, nameOf(section, 'cert')], 'invalid certificate or key', thrown);
  }
  return { options, clientAuth, allowedSans: section.client_allowed_sans ?? undefined };
}

type Source = 'cert' | 'key' | 'client_ca';

/** What is given in place or in the file that is named; undefined for no client CA. */
async function pem(
  parsed: ParsedWebConfig,
  section: TlsSection,
  source: Source,
  read: ReadNamed,
): Promise<Buffer | undefined> {
  const name = nameOf(section, source);
  const text = section[name];
  if (isUnset(text)) return undefined;
  if (name === source) return Buffer.from(text);
  try {
    return await read(text);
  } catch (thrown) {
    throw parsed.errorAt([SECTION, name], 'cannot be read', thrown);
  }
}

/** The key under which it is given. */
function nameOf<S extends Source>(section: TlsSection, source: S): S | `${S}_file` {
  return isUnset(section[source]) ? `${source}_file` : source;
}

function isUnset(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

function clientAuthOf({ client_auth_type: type }: TlsSection): ClientAuthType {
  if (isUnset(type)) return 'NoClientCert';
  return type === 'RequireClientCert' ? 'RequireAnyClientCert' : type;
}

function refuseContradictions(
  parsed: ParsedWebConfig,
  section: TlsSection,
  clientAuth: ClientAuthType,
): void {
  const has = (source: Source) => !isUnset(section[source]) || !isUnset(section[`${source}_file`]);
  for (const source of ['cert', 'key', 'client_ca'] as const) {
    if (!isUnset(section[source]) && !isUnset(section[`${source}_file`])) {
      throw parsed.errorAt(
        [SECTION, `${source}_file`],
        `conflicts with ${source}: expected only one of the two`,
      );
    }
    if (source !== 'client_ca' && !has(source)) {
      throw parsed.errorAt([SECTION], `${source}_file is missing`);
    }
  }
  if (has('client_ca') && clientAuth === 'NoClientCert') {
    throw parsed.errorAt([SECTION, nameOf(section, 'client_ca')], 'requires client_auth_type');
  }
  if (clientAuth.includes('Verify') && !has('client_ca')) {
    throw parsed.errorAt([SECTION, 'client_auth_type'], `${clientAuth} requires client_ca_file`);
  }
  if (!isUnset(section.client_allowed_sans) && !clientAuth.startsWith('Require')) {
    throw parsed.errorAt(
      [SECTION, 'client_allowed_sans'],
      'requires client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert',
    );
  }
  const order = Object.keys(TLS_VERSIONS) as TlsVersionName[];
  const { min_version: min, max_version: max } = section;
  if (order.indexOf(min ?? 'TLS12') > order.indexOf(max ?? 'TLS13')) {
    const [low, high] = isUnset(min) ? ['max_version', 'below TLS12'] : ['min_version', 'above max_version'];
    throw parsed.errorAt([SECTION, low], `${high}: no TLS version is left`);
  }
}

/** Which there are depends on the OpenSSL that this Node.js has. */
function refuseUnknownCurves(parsed: ParsedWebConfig, { curve_preferences: named }: TlsSection): void {
  for (const [index, name] of (named ?? []).entries()) {
    try {
      createSecureContext({ ecdhCurve: CURVES[name] });
    } catch {
      const { node, openssl } = process.versions;
      throw parsed.errorAt(
        [SECTION, 'curve_preferences', index],
        `${name} is unknown to OpenSSL ${openssl} of Node.js ${node}`,
      );
    }
  }
}

function checkCertificates(parsed: ParsedWebConfig, section: TlsSection, ca: Buffer): void {
  try {
    new X509Certificate(ca);
  } catch (thrown) {
    throw parsed.errorAt([SECTION, nameOf(section, 'client_ca')], 'expected PEM certificates', thrown);
  }
}

function ciphersOf({ cipher_suites: named, min_version: min }: TlsSection): TlsOptions {
  // OpenSSL's default level lets no TLS 1.0 or 1.1 handshake succeed, whatever the versions say.
  const level = min === 'TLS10' || min === 'TLS11' ? ['@SECLEVEL=0'] : [];
  if (isUnset(named) || named.length === 0) {
    return level.length === 0 ? {} : { ciphers: [DEFAULT_CIPHERS, ...level].join(':') };
  }
  const upTo12 = named.flatMap((name) => (name in CIPHERS ? [CIPHERS[name as keyof typeof CIPHERS]] : []));
  return { ciphers: [...TLS13_CIPHERS, ...upTo12, ...level].join(':') };
}

function curvesOf({ curve_preferences: named }: TlsSection): TlsOptions {
  if (isUnset(named) || named.length === 0) return {};
  return { ecdhCurve: named.map((name) => CURVES[name]).join(':') };
}
