import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/base/createLogger.ts';
import { errorLine } from '../../../src/base/errors.ts';
import { FileReader } from '../../../src/base/fileReader.ts';
import { openWebConfig } from '../../../src/web/config/liveWebConfig.ts';
import { loadWebConfig } from '../../../src/web/config/loadWebConfig.ts';
import { NO_WEB_CONFIG, type WebConfig } from '../../../src/web/config/webConfig.ts';
import { itNeeding, missingTool } from '../../e2e/support/needs.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { Authority, type Certificate } from '../../support/certificates.ts';

const HASH = `$2b$04$${'a'.repeat(53)}`;
const missing = missingTool('openssl', 'version');
const TLS = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n';

/** A directory with an authority, `server.crt` and `server.key`, and whatever a test adds. */
let authority: Authority;
let server: Certificate;
let directory: string;
beforeAll(() => {
  if (missing !== undefined) return;
  directory = newDirectory();
  authority = new Authority(directory);
  server = authority.issue('server');
  authority.issue('other');
});

function load(text: string): Promise<WebConfig> {
  const file = join(directory, 'web.yml');
  writeFileSync(file, text);
  return loadWebConfig(file, new FileReader());
}

describe('loading a web configuration', () => {
  it('names a file that is not there', async () => {
    await expect(loadWebConfig('/nonexistent/web.yml', new FileReader())).rejects.toThrow(
      /^\/nonexistent\/web\.yml: no such file or directory \(ENOENT\)$/,
    );
  });

  it('reads no devices, and nothing large', async () => {
    await expect(loadWebConfig('/dev/zero', new FileReader())).rejects.toThrow(
      '/dev/zero: not a regular file',
    );
    const large = join(newDirectory(), 'web.yml');
    writeFileSync(large, '');
    truncateSync(large, 1 << 21);
    await expect(loadWebConfig(large, new FileReader())).rejects.toThrow(
      `${large}: too large: 2097152 bytes, expected at most 1048576`,
    );
  });

  itNeeding(missing, 'has neither TLS nor users where nothing asks for them', async () => {
    expect(await load('')).toEqual(NO_WEB_CONFIG);
    expect(await load('tls_server_config: {}\n')).toEqual(NO_WEB_CONFIG);
  });

  itNeeding(missing, 'finds files beside the one that names them, or elsewhere, or in place', async () => {
    const indented = (text: string) => text.replaceAll(/^/gm, '    ');
    for (const text of [
      TLS,
      `tls_server_config:\n  cert_file: ${server.certFile}\n  key_file: ${server.keyFile}\n`,
      `tls_server_config:\n  cert: |\n${indented(server.cert)}\n  key: |\n${indented(server.key)}\n`,
    ]) {
      const { tls } = await load(text);
      expect(String(tls?.options.cert).trim()).toBe(server.cert.trim());
      expect(tls).toMatchObject({ clientAuth: 'NoClientCert', allowedSans: undefined });
      expect(tls?.options).toMatchObject({
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        requestCert: false,
      });
    }
  });

  itNeeding(missing, 'understands the names of ciphers, curves and versions', async () => {
    const { tls } = await load(
      `${TLS}  min_version: TLS11\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n  curve_preferences: [CurveP384, X25519]\n  prefer_server_cipher_suites: false\n`,
    );
    expect(tls?.options).toMatchObject({
      minVersion: 'TLSv1.1',
      ciphers:
        'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0',
      ecdhCurve: 'P-384:X25519',
      honorCipherOrder: false,
    });
  });

  const REFUSED: readonly (readonly [what: string, text: string, line: string | RegExp])[] = [
    [
      'no key',
      'tls_server_config:\n  cert_file: server.crt\n',
      'web.yml:1: tls_server_config: key_file is missing',
    ],
    [
      'no certificate',
      '\ntls_server_config:\n  min_version: TLS13\n',
      'web.yml:2: tls_server_config: cert_file is missing',
    ],
    [
      'both',
      `${TLS}  key: x\n`,
      'web.yml:3: tls_server_config.key_file: conflicts with key: expected only one of the two',
    ],
    [
      'a certificate that is not there',
      TLS.replace('server.crt', 'gone.crt'),
      /^web\.yml:2: tls_server_config\.cert_file: cannot be read: gone\.crt: no such file or directory \(ENOENT\)$/,
    ],
    [
      'the key of another certificate',
      TLS.replace('server.key', 'other.key'),
      /^web\.yml:2: tls_server_config\.cert_file: invalid certificate or key: .*key values mismatch$/,
    ],
    [
      'a key that is a certificate',
      TLS.replace('server.key', 'server.crt'),
      /^web\.yml:2: tls_server_config\.cert_file: invalid certificate or key: /,
    ],
    [
      'an authority for nothing',
      `${TLS}  client_ca_file: ca.crt\n`,
      'web.yml:4: tls_server_config.client_ca_file: requires client_auth_type',
    ],
    [
      'verification without authority',
      `${TLS}  client_auth_type: RequireAndVerifyClientCert\n`,
      'web.yml:4: tls_server_config.client_auth_type: RequireAndVerifyClientCert requires client_ca_file',
    ],
    [
      'an authority that is none',
      `${TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: server.key\n`,
      /^web\.yml:5: tls_server_config\.client_ca_file: expected PEM certificates: /,
    ],
    [
      'names of clients who may come without any',
      `${TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n  client_allowed_sans: [a]\n`,
      'web.yml:6: tls_server_config.client_allowed_sans: requires client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert',
    ],
    [
      'no version left',
      `${TLS}  min_version: TLS13\n  max_version: TLS12\n`,
      'web.yml:4: tls_server_config.min_version: above max_version: no TLS version is left',
    ],
    [
      'no version left below the default',
      `${TLS}  max_version: TLS11\n`,
      'web.yml:4: tls_server_config.max_version: below TLS12: no TLS version is left',
    ],
  ];
  for (const [what, text, line] of REFUSED) {
    itNeeding(missing, `refuses ${what} in one line`, async () => {
      const refused = load(text).then(
        () => 'nothing',
        (error: unknown) => errorLine(error).replaceAll(`${directory}/`, ''),
      );
      if (typeof line === 'string') expect(await refused).toBe(line);
      else expect(await refused).toMatch(line);
    });
  }
});

describe('a web configuration that changes', () => {
  const LOOK_MS = 20;

  async function open(text: string) {
    const own = newDirectory();
    for (const name of ['server.crt', 'server.key', 'other.crt', 'other.key']) {
      symlinkSync(join(directory, name), join(own, name));
    }
    const file = join(own, 'web.yml');
    writeFileSync(file, text);
    const lines: string[] = [];
    const log = createLogger({ level: 'info', format: 'logfmt' }, (line) => lines.push(line));
    const live = await openWebConfig(file, log, LOOK_MS);
    const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000 * SLOWNESS, interval: 5 });
    const looks = (count: number) =>
      new Promise((resolve) => setTimeout(resolve, count * LOOK_MS * SLOWNESS));
    return { own, file, lines, live, until, looks };
  }

  itNeeding(missing, 'is taken up, and says so in one line without secrets', async () => {
    const { file, lines, live, until, looks } = await open('');
    writeFileSync(file, `basic_auth_users:\n  prometheus: ${HASH}\n`);
    await until(() => expect(live.current.users).toEqual(new Map([['prometheus', HASH]])));
    await looks(5);
    expect(lines).toEqual([
      expect.stringContaining(
        `level=info msg="web configuration reloaded" file=${file} scheme=http basic_auth=on\n`,
      ),
    ]);
    live.close();
  });

  itNeeding(missing, 'keeps the last good one and says once what is bad', async () => {
    const { file, lines, live, until, looks } = await open(`basic_auth_users:\n  a: ${HASH}\n`);
    writeFileSync(file, 'basic_auth_users:\n  a: hunter2\n');
    await until(() => expect(lines).toHaveLength(1));
    await looks(10);
    expect(lines).toEqual([
      expect.stringMatching(
        /level=error msg="failed to reload web configuration, keeping the previous one" error="\S+\/web\.yml:2: basic_auth_users: expected a bcrypt hash [^"]*"\n$/,
      ),
    ]);
    expect(live.current.users.size).toBe(1);
    // Another mistake is news, and so is the way back.
    rmSync(file);
    await until(() => expect(lines).toHaveLength(2));
    expect(lines[1]).toContain(`error="${file}: no such file or directory (ENOENT)"`);
    writeFileSync(file, `basic_auth_users:\n  a: ${HASH}\n  b: ${HASH}\n`);
    await until(() => expect(live.current.users.size).toBe(2));
    expect(lines).toHaveLength(3);
    live.close();
  });

  itNeeding(missing, 'is not taken up while it is being written', async () => {
    const users = Array.from({ length: 50 }, (_, count) => `  u${count}: ${HASH}\n`);
    const { file, lines, live, until } = await open(`basic_auth_users:\n${users.join('')}`);
    // Always another text, and always one that is good YAML: never the same at two looks.
    for (let count = 0; count < 50; count++) {
      writeFileSync(file, `# ${'.'.repeat(count)}\n`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 4));
      expect(live.current.users.size).toBe(50);
    }
    writeFileSync(file, '{}\n');
    await until(() => expect(live.current.users.size).toBe(0));
    expect(lines).toHaveLength(1);
    live.close();
  });

  itNeeding(missing, 'is taken up where only the certificate and key behind it change', async () => {
    const { own, live, until } = await open(TLS);
    const before = live.current.tls;
    for (const name of ['crt', 'key']) {
      // As editors and kubelet do it: a new name, moved onto the old one.
      symlinkSync(join(directory, `other.${name}`), join(own, `new.${name}`));
      renameSync(join(own, `new.${name}`), join(own, `server.${name}`));
    }
    await until(() => expect(live.current.tls).not.toBe(before));
    expect(String(live.current.tls?.options.cert)).not.toBe(server.cert);
    live.close();
  });

  itNeeding(missing, 'is taken up where kubelet turns the link to the whole mount', async () => {
    const mount = newDirectory();
    for (const [version, certificate] of [
      ['..1', 'server'],
      ['..2', 'other'],
    ] as const) {
      mkdirSync(join(mount, version));
      for (const [from, to] of [
        [`${certificate}.crt`, 'server.crt'],
        [`${certificate}.key`, 'server.key'],
      ] as const) {
        symlinkSync(join(directory, from), join(mount, version, to));
      }
    }
    writeFileSync(join(mount, '..1/web.yml'), TLS);
    writeFileSync(join(mount, '..2/web.yml'), `${TLS}basic_auth_users:\n  a: ${HASH}\n`);
    symlinkSync('..1', join(mount, '..data'));
    for (const name of ['web.yml', 'server.crt', 'server.key']) {
      symlinkSync(join('..data', name), join(mount, name));
    }
    const log = createLogger({ level: 'error', format: 'logfmt' }, (line) => expect(line).toBe(''));
    const live = await openWebConfig(join(mount, 'web.yml'), log, LOOK_MS);
    symlinkSync('..2', join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await vi.waitFor(() => expect(live.current.users.size).toBe(1), { timeout: 5_000 * SLOWNESS });
    expect(String(live.current.tls?.options.cert)).not.toBe(server.cert);
    live.close();
  });

  itNeeding(missing, 'keeps its TLS settings the same where only users change', async () => {
    const { file, live, until } = await open(TLS);
    const before = live.current.tls;
    writeFileSync(file, `${TLS}basic_auth_users:\n  a: ${HASH}\n`);
    await until(() => expect(live.current.users.size).toBe(1));
    expect(live.current.tls).toBe(before);
    live.close();
  });

  itNeeding(missing, 'is no longer looked at once it is closed', async () => {
    const { file, lines, live, looks } = await open('');
    live.close();
    writeFileSync(file, 'nonsense');
    await looks(5);
    expect(lines).toEqual([]);
  });

  it('is none without a file', async () => {
    const live = await openWebConfig(
      undefined,
      createLogger({ level: 'info', format: 'logfmt' }, () => {}),
    );
    expect(live.current).toBe(NO_WEB_CONFIG);
    live.close();
  });
});
