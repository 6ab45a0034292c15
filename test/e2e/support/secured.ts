import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashSync } from 'bcrypt';
import { Authority } from '../../support/certificates.ts';
import { newDirectory } from './procfs.ts';

/** What a browser needs to be let in. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Flags of a daemon behind TLS and a password, until the end of the test file, and what opens it. */
export function secured(): { readonly flags: readonly string[]; readonly credentials: Credentials } {
  const directory = newDirectory();
  new Authority(directory).issue('server');
  const credentials = { username: 'oncall', password: 'correct horse' };
  const config = join(directory, 'web.yml');
  writeFileSync(
    config,
    `tls_server_config: {cert_file: server.crt, key_file: server.key}
basic_auth_users: {${credentials.username}: ${hashSync(credentials.password, 4)}}
`,
  );
  return { flags: [`--web.config.file=${config}`], credentials };
}
