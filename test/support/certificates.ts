import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of a certificate and its key, and their text. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of its own, in `directory`; it ends with the directory. */
export class Authority {
  readonly #directory: string;
  /** Self-signed. */
  readonly own: Certificate;

  constructor(directory: string, name = 'ca') {
    this.#directory = directory;
    this.own = make(directory, name, ['-addext', 'keyUsage=critical,keyCertSign']);
  }

  get certFile(): string {
    return this.own.certFile;
  }

  get cert(): string {
    return this.own.cert;
  }

  /** @param sans as OpenSSL writes them: `DNS:a.example`, `IP:192.0.2.1`, `URI:spiffe://a/b`, `email:a@b.example` */
  issue(name: string, sans: readonly string[] = ['IP:127.0.0.1', 'DNS:localhost']): Certificate {
    const { certFile, keyFile } = this.own;
    return make(this.#directory, name, [
      ...['-CA', certFile, '-CAkey', keyFile],
      ...['-addext', 'basicConstraints=CA:FALSE', '-addext', `subjectAltName=${sans.join(',')}`],
    ]);
  }
}

function make(directory: string, name: string, more: readonly string[]): Certificate {
  const certFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile, ...more],
    ],
    { stdio: 'pipe' },
  );
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}
