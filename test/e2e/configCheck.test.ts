import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Authority } from '../support/certificates.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { run } from './support/program.ts';

const directory = mkdtempSync(join(tmpdir(), 'port-exporter-check-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const WEB = file('web.yml', 'basic_auth_users: {}\n');
const PROBES = file('probes.yml', '- name: db\n  target: tcp://db:5432\n');
const NO_PROBES = file('bad-probes.yml', '- name: db\n');
const NO_KEY = file('tls.yml', 'tls_server_config:\n  cert_file: gone.crt\n  key_file: gone.key\n');

describe('--config.check', () => {
  it.each([
    [[], 0, ['Nothing to check: neither --web.config.file nor --probe.file is set.']],
    [[`--web.config.file=${WEB}`], 0, [`${WEB}: OK`]],
    [[`--web.config.file=${WEB}`, `--probe.file=${PROBES}`], 0, [`${WEB}: OK`, `${PROBES}: OK`]],
    [
      ['--web.config.file=/nowhere/web.yml', `--probe.file=${PROBES}`],
      1,
      ['/nowhere/web.yml: no such file or directory (ENOENT)', `${PROBES}: OK`],
    ],
    [
      [`--web.config.file=${NO_KEY}`, `--probe.file=${NO_PROBES}`],
      1,
      [
        `${NO_KEY}:2: tls_server_config.cert_file: cannot be read: ${directory}/gone.crt: no such file or directory (ENOENT)`,
        `${NO_PROBES}:1: target: is missing`,
      ],
    ],
    [[`--probe.file=${PROBES}`, '--probe=tcp://db:5432', '--sample.interval=1s'], 0, [`${PROBES}: OK`]],
  ])('with %j ends with %i and a line for each file', async (args, code, lines) => {
    const ended = await run(['--config.check', ...args]);
    expect(ended).toEqual({ code, signal: null, stderr: '', stdout: `${lines.join('\n')}\n` });
  });

  it('says of a flag that it is bad before any file', async () => {
    const { code, stdout, stderr } = await run(['--config.check', '--sample.interval=soon']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^port-exporter: --sample\.interval: invalid duration "soon"/);
  });

  it('takes the files and itself from the environment', async () => {
    const env = { PORT_EXPORTER_CONFIG_CHECK: 'true', PORT_EXPORTER_PROBE_FILE: PROBES };
    expect(await run([], { env })).toMatchObject({ code: 0, stdout: `${PROBES}: OK\n` });
  });

  it('listens nowhere: an address in use is none of its business', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const args = ['--config.check', `--web.listen-address=127.0.0.1:${port}`, `--probe.file=${PROBES}`];
      expect(await run(args)).toMatchObject({ code: 0, stderr: '' });
    } finally {
      server.close();
    }
  });

  itNeeding(
    missingTool('openssl', 'version'),
    'reads the certificate and the key that are named',
    async () => {
      const { certFile, keyFile } = new Authority(directory).own;
      const tls = (key: string) => `tls_server_config:\n  cert_file: ${certFile}\n  key_file: ${key}\n`;
      const good = file('good-tls.yml', tls(keyFile));
      expect(await run(['--config.check', `--web.config.file=${good}`])).toMatchObject({
        ...{ code: 0, stdout: `${good}: OK\n` },
      });
      const bad = file('bad-tls.yml', tls(certFile));
      const { code, stdout } = await run(['--config.check', `--web.config.file=${bad}`]);
      expect(code).toBe(1);
      expect(stdout).toMatch(
        /bad-tls\.yml:2: tls_server_config\.cert_file: invalid certificate or key: .+\n$/,
      );
    },
  );
});
