import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { hashSync } from 'bcrypt';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FileReader } from '../../../src/base/fileReader.ts';
import { withSameTls } from '../../../src/web/config/liveWebConfig.ts';
import { loadWebConfig } from '../../../src/web/config/loadWebConfig.ts';
import { NO_WEB_CONFIG, type WebConfig } from '../../../src/web/config/webConfig.ts';
import { itNeeding, missingTool } from '../../e2e/support/needs.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import { Authority, type Certificate } from '../../support/certificates.ts';
import { portOf, served } from '../served.ts';

const missing = missingTool('openssl', 'version');
const TLS = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n';
const HASH = hashSync('right', 4);

let directory: string;
let authority: Authority;
let clients: Readonly<Record<'none' | 'stranger' | 'selfsigned' | 'ours', Partial<Certificate>>>;
beforeAll(() => {
  if (missing !== undefined) return;
  directory = newDirectory();
  authority = new Authority(directory);
  authority.issue('server');
  authority.issue('renewed');
  const elsewhere = new Authority(newDirectory(), 'elsewhere');
  clients = {
    none: {},
    selfsigned: elsewhere.own,
    stranger: elsewhere.issue('stranger', ['DNS:prometheus.example']),
    ours: authority.issue('client', ['DNS:prometheus.example', 'URI:spiffe://cluster/prometheus']),
  };
});

async function load(yaml: string): Promise<WebConfig> {
  const file = join(directory, 'web.yml');
  writeFileSync(file, yaml);
  return await loadWebConfig(file, new FileReader());
}

/** A server whose configuration can be changed. */
async function start(yaml: string) {
  const state = { current: yaml === '' ? NO_WEB_CONFIG : await load(yaml) };
  const web = await served({ config: () => state.current });
  const change = async (changed: string) => {
    state.current = withSameTls(await load(changed), state.current);
  };
  return { web, port: portOf(web), change, state };
}

const GET = 'GET /metrics HTTP/1.1\r\nHost: x\r\n';

/** What one request gets on a connection of its own, or nothing where there is none. */
async function ask(port: number, how: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ...how });
  onTestFinished(() => void socket.destroy());
  try {
    await once(socket, 'secureConnect');
    socket.write(`${GET}Connection: close\r\n\r\n`);
    return (await text(socket)).split('\r\n')[0] ?? '';
  } catch {
    return '';
  }
}

async function open(port: number, how: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ...how });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** Not once(), which takes the error before it for a failure. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

const OK = 'HTTP/1.1 200 OK';

describe('TLS versions', () => {
  const CLIENTS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
  for (const [what, settings, served] of [
    ['without a setting are 1.2 and 1.3', '', ['TLSv1.2', 'TLSv1.3']],
    ['from a minimum of 1.3 are 1.3', '  min_version: TLS13\n', ['TLSv1.3']],
    ['up to a maximum of 1.2 are 1.2', '  max_version: TLS12\n', ['TLSv1.2']],
    ['from a minimum of 1.0 are all', '  min_version: TLS10\n', [...CLIENTS]],
    [
      'with a cipher of 1.2 are still both',
      '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n',
      ['TLSv1.2', 'TLSv1.3'],
    ],
    ['with ciphers of 1.3 alone are 1.3', '  cipher_suites: [TLS_AES_128_GCM_SHA256]\n', ['TLSv1.3']],
    [
      'with a cipher that the certificate does not fit are 1.3',
      '  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n',
      ['TLSv1.3'],
    ],
  ] as const) {
    itNeeding(missing, what, async () => {
      const { port } = await start(`${TLS}${settings}`);
      const answered: string[] = [];
      for (const version of CLIENTS) {
        const how = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' } as const;
        if ((await ask(port, how)) === OK) answered.push(version);
      }
      expect(answered).toEqual(served);
    });
  }

  itNeeding(missing, 'take the curves that are set', async () => {
    const { port } = await start(`${TLS}  curve_preferences: [CurveP384]\n`);
    expect(await ask(port, { ecdhCurve: 'P-384' })).toBe(OK);
    expect(await ask(port, { ecdhCurve: 'X25519' })).toBe('');
  });
});

describe('of clients', () => {
  const CA = '  client_ca_file: ca.crt\n';
  for (const [type, settings, admitted] of [
    ['NoClientCert', '', ['none', 'selfsigned', 'stranger', 'ours']],
    ['RequestClientCert', '', ['none', 'selfsigned', 'stranger', 'ours']],
    ['RequestClientCert', CA, ['none', 'selfsigned', 'stranger', 'ours']],
    ['RequireAnyClientCert', '', ['selfsigned', 'stranger', 'ours']],
    ['RequireClientCert', '', ['selfsigned', 'stranger', 'ours']],
    ['VerifyClientCertIfGiven', CA, ['none', 'ours']],
    ['RequireAndVerifyClientCert', CA, ['ours']],
    ['RequireAndVerifyClientCert', `${CA}  client_allowed_sans: [other, prometheus.example]\n`, ['ours']],
    ['RequireAndVerifyClientCert', `${CA}  client_allowed_sans: [spiffe://cluster/prometheus]\n`, ['ours']],
    ['RequireAndVerifyClientCert', `${CA}  client_allowed_sans: [prometheus]\n`, []],
    ['RequireAndVerifyClientCert', `${CA}  client_allowed_sans: []\n`, []],
    ['RequireAnyClientCert', '  client_allowed_sans: [prometheus.example]\n', ['stranger', 'ours']],
  ] as const) {
    const given = settings.replaceAll(/\s+/g, ' ');
    itNeeding(missing, `${type}${given} lets in ${admitted.join(', ') || 'nobody'}`, async () => {
      const { port } = await start(`${TLS}  client_auth_type: ${type}\n${settings}`);
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const answered: string[] = [];
        for (const [name, { cert, key }] of Object.entries(clients)) {
          const answer = await ask(port, { cert, key, maxVersion });
          if (answer !== '') expect(answer).toBe(OK);
          if (answer === OK) answered.push(name);
        }
        expect(answered).toEqual(admitted);
      }
    });
  }

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    itNeeding(
      missing,
      `sessions that are resumed are those of who came in before (${maxVersion})`,
      async () => {
        const { port } = await start(`${TLS}  client_auth_type: RequireAndVerifyClientCert\n${CA}`);
        for (const [name, answer] of [
          ['ours', OK],
          ['stranger', ''],
          ['none', ''],
        ] as const) {
          const { cert, key } = clients[name];
          const sessions: Buffer[] = [];
          const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, cert, key, maxVersion });
          socket.on('session', (session) => sessions.push(session));
          socket.on('error', () => {});
          socket.on('secureConnect', () => socket.write(`${GET}Connection: close\r\n\r\n`));
          socket.resume();
          await closed(socket);
          for (const session of sessions) {
            expect(await ask(port, { cert, key, maxVersion, session })).toBe(answer);
            // Without the certificate, on the strength of the session alone.
            expect(await ask(port, { maxVersion, session })).toBe(answer);
          }
          if (name === 'ours') expect(sessions.length).toBeGreaterThan(0);
        }
      },
    );
  }
});

describe('when settings change', () => {
  itNeeding(missing, 'TLS goes on and off on the same port', async () => {
    const { port, change } = await start('');
    const plain = () => fetch(`http://127.0.0.1:${port}/metrics`).then(({ status }) => status);
    expect(await plain()).toBe(200);
    await change(TLS);
    expect(await ask(port)).toBe(OK);
    await expect(plain()).rejects.toThrow();
    await change('');
    expect(await plain()).toBe(200);
    expect(await ask(port)).toBe('');
  });

  itNeeding(missing, 'new connections see the new certificate', async () => {
    const { port, change } = await start(TLS);
    const subject = async () => (await open(port)).getPeerX509Certificate()?.subject;
    expect(await subject()).toBe('CN=server');
    await change(TLS.replaceAll('server.', 'renewed.'));
    expect(await subject()).toBe('CN=renewed');
  });

  for (const [what, before, after] of [
    ['TLS goes on', '', TLS],
    ['TLS goes off', TLS, ''],
    [
      'clients must show a certificate',
      TLS,
      `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n`,
    ],
  ] as const) {
    itNeeding(missing, `connections from before are not served any more: ${what}`, async () => {
      const { port, change } = await start(before);
      const socket = before === '' ? connectPlain({ host: '127.0.0.1', port }) : await open(port);
      onTestFinished(() => void socket.destroy());
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('error', () => {});
      socket.write(`${GET}\r\n`);
      await once(socket, 'data');
      expect(received).toContain(OK);
      received = '';
      await change(after);
      socket.write(`${GET}\r\n`);
      await closed(socket);
      expect(received).toBe('');
    });
  }

  itNeeding(missing, 'a connection that stays open meets the new users, and the new headers', async () => {
    const { port, change } = await start(TLS);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert });
    onTestFinished(() => void agent.destroy());
    const get = async (auth?: string) => {
      const sent = request({ host: '127.0.0.1', port, path: '/metrics', agent, auth: auth ?? null }).end();
      const [response] = await once(sent, 'response');
      await text(response);
      return { status: response.statusCode, headers: response.headers, reused: sent.reusedSocket };
    };
    expect(await get()).toMatchObject({ status: 200, reused: false });
    await change(
      `${TLS}basic_auth_users:\n  a: ${HASH}\nhttp_server_config:\n  headers:\n    Strict-Transport-Security: max-age=1\n    X-Frame-Options: ""\n`,
    );
    const refused = await get();
    expect(refused).toMatchObject({ status: 401, reused: true });
    expect(refused.headers['strict-transport-security']).toBe('max-age=1');
    expect(refused.headers['x-frame-options']).toBeUndefined();
    expect(refused.headers['x-content-type-options']).toBe('nosniff');
    // A 401 is the end of its connection.
    expect(await get('a:right')).toMatchObject({ status: 200, reused: false });
    expect(await get('a:right')).toMatchObject({ status: 200, reused: true });
    await change(`${TLS}basic_auth_users:\n  b: ${HASH}\n`);
    expect(await get('a:right')).toMatchObject({ status: 401, reused: true });
  });
});

describe('a TLS server', () => {
  itNeeding(missing, 'has no answer for plain HTTP, and goes on', async () => {
    const { port } = await start(TLS);
    const socket = connectPlain({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    socket.write(`${GET}\r\n`);
    socket.resume();
    await closed(socket);
    expect(await ask(port)).toBe(OK);
  });

  itNeeding(missing, 'closes quickly, with open connections and with handshakes that never end', async () => {
    const { web, port } = await start(TLS);
    const idle = await open(port);
    idle.write(`${GET}\r\n`);
    await once(idle, 'data');
    const silent = connectPlain({ host: '127.0.0.1', port });
    await once(silent, 'connect');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = performance.now();
    await web.close();
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  itNeeding(missing, 'speaks HTTP/1.1 to who also offers HTTP/2', async () => {
    const { port } = await start(`${TLS}http_server_config:\n  http2: true\n`);
    const socket = await open(port, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
  });

  it('is none without a file', async () => {
    const { port } = await start('');
    expect((await fetch(`http://127.0.0.1:${port}/-/healthy`)).status).toBe(200);
  });
});
