import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { hashSync } from 'bcrypt';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { Authority } from '../support/certificates.ts';
import { getSecurely } from './support/https.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, run } from './support/program.ts';
import { Prometheus } from './support/prometheus.ts';
import { mainWithoutBcrypt } from './support/withoutPackage.ts';

const missing = missingTool('openssl', 'version');
const PASSWORD = 'correct horse';
const HASH = hashSync(PASSWORD, 5);
const TLS = 'tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n';
const USERS = `basic_auth_users:\n  prometheus: ${HASH}\n`;

let authority: Authority;
let certificates: string;
beforeAll(() => {
  if (missing !== undefined) return;
  certificates = newDirectory();
  authority = new Authority(certificates);
  for (const name of ['first', 'second']) authority.issue(name);
});

/** A directory as kubelet mounts a secret: everything behind one link, which is turned as a whole. */
class Mount {
  readonly #directory = newDirectory();
  #version = 0;

  constructor(certificate: 'first' | 'second', yaml: string) {
    this.turn(certificate, yaml);
    for (const name of ['web.yml', 'tls.crt', 'tls.key']) {
      symlinkSync(join('..data', name), join(this.#directory, name));
    }
  }

  get file(): string {
    return join(this.#directory, 'web.yml');
  }

  turn(certificate: 'first' | 'second', yaml: string): void {
    const version = `..${++this.#version}`;
    mkdirSync(join(this.#directory, version));
    writeFileSync(join(this.#directory, version, 'web.yml'), yaml);
    for (const ending of ['crt', 'key']) {
      symlinkSync(
        join(certificates, `${certificate}.${ending}`),
        join(this.#directory, version, `tls.${ending}`),
      );
    }
    symlinkSync(version, join(this.#directory, '..data_tmp'));
    renameSync(join(this.#directory, '..data_tmp'), join(this.#directory, '..data'));
  }
}

function subjectOf(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.cert }, () => {
      resolve(socket.getPeerX509Certificate()?.subject);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a bad web configuration', () => {
  it('is one line with the line at fault', async () => {
    const file = join(newDirectory(), 'web.yml');
    writeFileSync(file, `${USERS}\n\nhttp_server_config:\n  foo: 1\n`);
    expectOneLine(
      await run([`--web.config.file=${file}`, '--log.level=error']),
      `${file}:6: unknown key "foo" in http_server_config: expected one of http2, headers`,
    );
  });

  it('that is not there is one line', async () => {
    expectOneLine(
      await run(['--web.config.file=/nonexistent/web.yml', '--log.level=error']),
      '/nonexistent/web.yml: no such file or directory (ENOENT)',
    );
  });

  it('does not matter to who asks once', async () => {
    expect(await run(['--once', '--web.config.file=/nonexistent/web.yml'])).toMatchObject({ code: 0 });
  });
});

describe('the native code of bcrypt', () => {
  const isLoaded = ({ child }: Daemon) => readFileSync(`/proc/${child.pid}/maps`, 'utf8').includes('bcrypt');
  const withUsers = () => {
    const file = join(newDirectory(), 'web.yml');
    writeFileSync(file, USERS);
    return file;
  };

  it('is loaded where there are users, and nowhere else', async () => {
    expect(isLoaded(await Daemon.started([]))).toBe(false);
    expect(isLoaded(await Daemon.started([`--web.config.file=${withUsers()}`]))).toBe(true);
  });

  it('is not missed without users where there is none; with users one line says so', async () => {
    const main = mainWithoutBcrypt();
    const daemon = await Daemon.started([], { main });
    expect((await daemon.get('/metrics')).status).toBe(200);
    const file = withUsers();
    expectOneLine(
      await run([`--web.config.file=${file}`, '--log.level=error', '--web.listen-address=127.0.0.1:0'], {
        main,
      }),
      /web\.yml: basic_auth_users requires the native code of bcrypt, which cannot be loaded \(\w+\): No native build was found/,
    );
    const live = join(newDirectory(), 'web.yml');
    writeFileSync(live, 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n');
    const reloading = await Daemon.started([`--web.config.file=${live}`], { main });
    writeFileSync(live, USERS);
    reloading.child.kill('SIGHUP');
    expect(await reloading.logged(/keeping the previous one/)).toContain('native code of bcrypt');
    expect((await reloading.get('/metrics')).headers['x-frame-options']).toBe('deny');
  });
});

describe('with TLS and a password', () => {
  itNeeding(missing, 'every page wants both, and the log holds no secret', async () => {
    const { file } = new Mount('first', `${TLS}${USERS}`);
    const daemon = await Daemon.started([`--web.config.file=${file}`, '--log.level=debug']);
    expect(await daemon.logged(/msg=listening/)).toMatch(/ scheme=https basic_auth=on$/);
    const get = (path: string, auth?: string) =>
      getSecurely(daemon.port, path, { ca: authority.cert, ...(auth === undefined ? {} : { auth }) });
    for (const path of ['/', '/metrics', '/-/healthy', '/-/ready', '/nothing']) {
      for (const auth of [undefined, 'prometheus:', 'prometheus:wrong', 'nobody:wrong']) {
        const answer = await get(path, auth);
        expect(answer.status).toBe(401);
        expect(answer.headers['x-content-type-options']).toBe('nosniff');
        expect(answer.text).toBe('401 Unauthorized\n');
      }
    }
    expect((await get('/metrics', `prometheus:${PASSWORD}`)).text).toContain('port_exhaustion_ratio{');
    expect((await get('/nothing', `prometheus:${PASSWORD}`)).status).toBe(404);
    await expect(daemon.get('/metrics')).rejects.toThrow();
    expect(await daemon.end()).toMatchObject({ code: 0 });
    const log = daemon.lines.join('\n');
    for (const secret of [
      PASSWORD,
      HASH,
      'wrong',
      Buffer.from(`prometheus:${PASSWORD}`).toString('base64'),
    ]) {
      expect(log).not.toContain(secret);
    }
  });

  itNeeding(missing ?? missingTool('prometheus'), 'a real Prometheus scrapes it', async () => {
    const { file } = new Mount('first', `${TLS}${USERS}`);
    const daemon = await Daemon.started([`--web.config.file=${file}`, '--sample.interval=1s']);
    const prometheus = await Prometheus.started(`
scrape_configs:
  - job_name: x
    scrape_interval: 1s
    scheme: https
    tls_config: {ca_file: ${authority.certFile}}
    basic_auth: {username: prometheus, password: "${PASSWORD}"}
    static_configs: [{targets: ["127.0.0.1:${daemon.port}"]}]
  - job_name: wrong
    scrape_interval: 1s
    scheme: https
    tls_config: {ca_file: ${authority.certFile}}
    basic_auth: {username: prometheus, password: wrong}
    static_configs: [{targets: ["127.0.0.1:${daemon.port}"]}]
`);
    await vi.waitFor(
      async () => {
        const { activeTargets } = await prometheus.ask<{
          activeTargets: { scrapePool: string; health: string; lastError: string }[];
        }>('targets');
        const seen = activeTargets.map(({ scrapePool, health, lastError }) => [
          scrapePool,
          health,
          lastError,
        ]);
        expect(seen.toSorted()).toEqual([
          ['wrong', 'down', 'server returned HTTP status 401 Unauthorized'],
          ['x', 'up', ''],
        ]);
      },
      { timeout: 20_000 * SLOWNESS, interval: 100 },
    );
  });

  itNeeding(missing, 'a secret that kubelet turns is taken up, a bad one is not', async () => {
    const mount = new Mount('first', `${TLS}${USERS}`);
    const daemon = await Daemon.started([`--web.config.file=${mount.file}`]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = async (auth: string) =>
      (await getSecurely(daemon.port, '/metrics', { ca: authority.cert, auth, agent })).status;
    expect(await status(`prometheus:${PASSWORD}`)).toBe(200);
    expect(await subjectOf(daemon.port)).toBe('CN=first');

    mount.turn('second', `${TLS}${USERS}`);
    await daemon.logged(/level=info msg="web configuration reloaded" .* scheme=https basic_auth=on$/);
    expect(await subjectOf(daemon.port)).toBe('CN=second');

    mount.turn('first', `${TLS}${USERS}foo: 1\n`);
    const refusal = await daemon.logged(/level=error msg="failed to reload web configuration/);
    expect(refusal).toMatch(/error="\S+\/web\.yml:6: unknown key \\"foo\\": expected one of [^"]*"$/);
    expect(await subjectOf(daemon.port)).toBe('CN=second');
    agent.destroy();
    const again = new Agent({ keepAlive: true, maxSockets: 1 });
    const late = async (auth: string) =>
      (await getSecurely(daemon.port, '/metrics', { ca: authority.cert, auth, agent: again })).status;
    expect(await late(`prometheus:${PASSWORD}`)).toBe(200);

    // The same certificate, so that the connection stays, and other users.
    mount.turn('second', `${TLS}basic_auth_users:\n  other: ${HASH}\n`);
    await vi.waitFor(async () => expect(await late(`prometheus:${PASSWORD}`)).toBe(401), {
      timeout: 10_000 * SLOWNESS,
    });
    expect(await late(`other:${PASSWORD}`)).toBe(200);
    again.destroy();

    mount.turn('second', '{}\n');
    await daemon.logged(/msg="web configuration reloaded" .* scheme=http basic_auth=off$/);
    expect((await daemon.get('/metrics')).status).toBe(200);
    expect(daemon.lines.filter((line) => line.includes('level=error'))).toHaveLength(1);
  });
});

describe('a rate limit', () => {
  it('answers what is beyond it with a 429, takes up another one, and leaves health alone', async () => {
    const file = join(newDirectory(), 'web.yml');
    const limit = (burst: number) => writeFileSync(file, `rate_limit:\n  interval: 1h\n  burst: ${burst}\n`);
    limit(5);
    const daemon = await Daemon.started([`--web.config.file=${file}`]);
    expect(await daemon.logged(/msg=listening/)).toMatch(/ rate_limit=on$/);
    const answers = await Promise.all(Array.from({ length: 20 }, () => daemon.get('/metrics')));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([...new Array(5).fill(200), ...new Array(15).fill(429)]);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.text).toMatch(/^429 Too Many Requests: .*\n$/);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(3_590);
    for (const path of ['/-/healthy', '/-/ready']) expect((await daemon.get(path)).status).toBe(200);

    limit(0);
    expect(await daemon.logged(/failed to reload web configuration/)).toMatch(
      /web\.yml:3: rate_limit\.burst: expected at least 1: /,
    );
    expect((await daemon.get('/metrics')).status).toBe(429);

    writeFileSync(file, 'rate_limit:\n  interval: 1ms\n  burst: 100\n');
    await daemon.logged(/web configuration reloaded/);
    expect((await daemon.get('/metrics')).status).toBe(200);
    expect(await daemon.end()).toMatchObject({ code: 0 });
  });

  it('that strangers use up keeps out nobody whose password was right before', async () => {
    const file = join(newDirectory(), 'web.yml');
    writeFileSync(file, `${USERS}rate_limit:\n  interval: 1h\n  burst: 5\n`);
    const daemon = await Daemon.started([`--web.config.file=${file}`]);
    const headers = { authorization: `Basic ${Buffer.from(`prometheus:${PASSWORD}`).toString('base64')}` };
    expect((await daemon.get('/metrics', headers)).status).toBe(200);
    const strangers = await Promise.all(Array.from({ length: 50 }, () => daemon.get('/metrics')));
    expect(strangers.filter(({ status }) => status === 401)).toHaveLength(4);
    expect(strangers.filter(({ status }) => status === 429)).toHaveLength(46);
    expect((await daemon.get('/metrics', headers)).status).toBe(200);
  });
});
