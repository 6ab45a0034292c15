import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPTION_FLAGS } from '../../../src/cli/options.ts';

/** What a browser needs to be let in. */
export interface Secured {
  readonly scheme: 'http' | 'https';
  /** Of the daemon. */
  readonly flags: readonly string[];
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Removes the files. */
  end(): void;
}

const PASSWORD = 'correct horse';
/** bcrypt of it, at the least cost there is. */
const PASSWORD_HASH = '$2b$04$1eM8oN1d9qup88BYOG6jOeuqQglEl./RlrCG43aJuBXCekX/UfqpW';

/** TLS and a password from a web configuration file, where the exporter takes one; else plain HTTP. */
export function secured(): Secured {
  if (!('web.config.file' in OPTION_FLAGS)) {
    return { scheme: 'http', flags: [], credentials: undefined, end: () => {} };
  }
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-secured-'));
  const [key, cert, config] = ['key.pem', 'cert.pem', 'web.yml'].map((file) => join(directory, file));
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-keyout', String(key), '-out', String(cert)],
    ],
    { stdio: 'ignore' },
  );
  const lines = [
    ...['tls_server_config:', '  cert_file: cert.pem', '  key_file: key.pem'],
    ...['basic_auth_users:', `  oncall: ${PASSWORD_HASH}`],
  ];
  writeFileSync(String(config), `${lines.join('\n')}\n`);
  return {
    scheme: 'https',
    flags: [`--web.config.file=${config}`],
    credentials: { username: 'oncall', password: PASSWORD },
    end: () => rmSync(directory, { recursive: true }),
  };
}
