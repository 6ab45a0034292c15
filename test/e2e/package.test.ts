import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import bcrypt from 'bcrypt';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, type Ended, run } from './support/program.ts';
import { readOnce } from './support/sources.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);
/** What npm tells of a package it made. */
interface Packed {
  readonly filename: string;
  /** Bytes of the tarball, and of its files. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** Why nothing can be installed here. */
const missing = await execute('npm', ['ping'], { timeout: 20_000 * SLOWNESS }).then(
  () => undefined,
  (error) => `no npm registry: ${String(error).split('\n', 1)}`,
);

let directory: string;
let packed: Packed;
beforeAll(async () => {
  directory = newDirectory();
  // prepack would build anew what other tests are running.
  const { stdout } = await execute(
    'npm',
    ['pack', '--ignore-scripts', '--json', `--pack-destination=${directory}`],
    { cwd: REPOSITORY },
  );
  packed = onlyPackage(JSON.parse(stdout));
});

/** npm 12 prints an object by name, those before it a list. */
function onlyPackage(printed: Packed[] | Record<string, Packed>): Packed {
  const [made] = Object.values(printed);
  if (made === undefined) throw new Error('npm pack made nothing');
  return made;
}

describe('The npm package', () => {
  it('holds the build, what deploys it, and no sources or tests', () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        ...[
          'package.json',
          'LICENSE',
          'README.md',
          'dist/main.js',
          'dist/sampler.js',
          'dist/launcher.js',
          'dist/THIRD-PARTY-NOTICES',
        ],
        ...['deploy/container/Dockerfile', 'deploy/kubernetes/kustomization.yaml'],
        'deploy/prometheus/prometheus.yml',
      ]),
    );
    expect(new Set(paths.map((path) => path.split('/')[0]))).toEqual(
      new Set(['LICENSE', 'README.md', 'deploy', 'dist', 'package.json']),
    );
    expect(paths.filter((path) => /\.tsx?$|\.test\.|tsbuildinfo|node_modules/.test(path))).toEqual([]);
    const wanted = readdirSync(join(REPOSITORY, 'deploy'), { recursive: true, encoding: 'utf8' })
      .filter((path) => !/\.(?:ts|png)$/.test(path) && statSync(join(REPOSITORY, 'deploy', path)).isFile())
      // The Helm chart holds links, which npm leaves out: there is either all of it or none.
      .filter((path) => !path.startsWith('helm/'))
      .map((path) => `deploy/${path}`);
    expect(paths).toEqual(expect.arrayContaining(wanted));
    expect(paths.filter((path) => path.startsWith('deploy/helm/'))).toEqual([]);
  });

  it('is small', () => {
    expect(packed.size).toBeLessThan(500_000);
    expect(packed.unpackedSize).toBeLessThan(2_000_000);
  });
});

describe('The npm package, installed globally,', () => {
  const prefix = () => join(directory, 'prefix');
  const command = () => join(prefix(), 'bin/port-exporter');
  const dist = () => join(prefix(), 'lib/node_modules/port-exporter/dist');

  beforeAll(async () => {
    if (missing !== undefined && process.env['CI'] !== 'true') return;
    await execute('npm', [
      ...['install', '--global', `--prefix=${prefix()}`, '--prefer-offline', '--no-audit', '--no-fund'],
      join(directory, packed.filename),
    ]);
  }, 180_000 * SLOWNESS);

  itNeeding(missing, 'is the command port-exporter', async () => {
    const { stdout } = await execute(command(), ['--version']);
    expect(stdout).toMatch(`port-exporter, version ${VERSION} `);
    expect(realpathSync(command())).toBe(
      join(realpathSync(prefix()), 'lib/node_modules/port-exporter/dist/main.js'),
    );
  });

  itNeeding(missing, 'brings no development dependency', () => {
    const modules = join(prefix(), 'lib/node_modules/port-exporter/node_modules');
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    const installed = readdirSync(modules);
    expect(Object.keys(manifest.dependencies)).toEqual(['bcrypt', 'koffi']);
    expect(installed).toEqual(expect.arrayContaining(['bcrypt', 'koffi']));
    // Those, what they need, and the binaries of koffi.
    const theirs = ['.bin', '.package-lock.json', '@koromix', 'node-addon-api', 'node-gyp-build'];
    expect(installed.filter((name) => !theirs.includes(name))).toEqual(['bcrypt', 'koffi']);
  });

  itNeeding(missing, 'names the licence of each library that is part of it', () => {
    const notices = readFileSync(join(dist(), 'THIRD-PARTY-NOTICES'), 'utf8');
    for (const library of [
      'hono',
      'idiomorph',
      'pino',
      'prom-client',
      'systemd-notify',
      'yaml',
      'yargs',
      'zod',
    ])
      expect(notices).toMatch(new RegExp(`^${library} \\d+\\.\\d+\\.\\d+\\n\\n.*licen[cs]e`, 'ims'));
  });

  itNeeding(missing, 'imports nothing but itself, Node.js and its two dependencies', () => {
    const files = readdirSync(dist(), { encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    const imported = files.flatMap((file) => {
      const text = readFileSync(join(dist(), file), 'utf8');
      return [...text.matchAll(/(?:^|;)import(?:[\w${},*\s]*from)?\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
        ([, name, later]) => name ?? later ?? '',
      );
    });
    expect(imported.length).toBeGreaterThan(files.length);
    const own = new Set(files.map((file) => `./${file}`));
    const foreign = imported.filter((name) => !own.has(name) && !isBuiltin(name));
    expect([...new Set(foreign)]).toEqual(['bcrypt']);
  });

  itNeeding(missing, 'prints its help in English, whatever the language', async () => {
    const helps = ['C', 'de_DE.UTF-8', 'ja_JP.UTF-8'].map((LANG) =>
      run(['--help'], { main: command(), env: { LANG, LC_ALL: LANG } }),
    );
    const [first, ...others] = (await Promise.all(helps)).map(({ stdout }) => stdout);
    expect(first).toMatch(/^Usage: port-exporter \[flags\]\n[\s\S]*\nCommands:\n[\s\S]*\n {6}--once /);
    expect(new Set(others)).toEqual(new Set([first]));
  });

  itNeeding(missing, 'samples once, from the source that the checkout samples from', async () => {
    const { code, stdout, stderr }: Ended = await run(['--once'], { main: command() });
    expect(code, stderr).toBe(0);
    const usable = parseExposition(stdout).find(({ name }) => name === 'port_ephemeral_ports');
    expect(usable?.value).toBeGreaterThan(0);
    const { source } = await readOnce([]);
    expect((await readOnce([], { main: command() })).source).toBe(source);
    // Without the FFI library there is only /proc.
    expect(source).not.toBe('procfs');
  });

  itNeeding(missing, 'loads the metrics library only to render metrics', async () => {
    const metrics = readdirSync(dist())
      .filter((file) => file.endsWith('.js'))
      .filter((file) => readFileSync(join(dist(), file)).includes('nodejs_eventloop_lag_seconds'));
    expect(metrics).toHaveLength(1);
    const loads = async (...args: string[]) => {
      const nodeFlags = ['--import', new URL('./support/printLoaded.mjs', import.meta.url).href];
      const { stderr } = await run(args, { main: command(), nodeFlags });
      const loaded = [...stderr.matchAll(/^loaded (\S+)$/gm)].map(([, file = '']) => file);
      expect(loaded).toContain('main.js');
      return loaded.includes(metrics[0] ?? '');
    };
    const questions = [
      ['--version'],
      ['--help'],
      ['listeners'],
      ['destinations'],
      ['probe', 'tcp://127.0.0.1:1'],
    ];
    for (const args of questions) expect(await loads(...args), args.join(' ')).toBe(false);
    expect(await loads('--once')).toBe(true);
  });

  itNeeding(missing, 'answers queries', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stdout, stderr } = await run(['listeners', String(port), '--json'], { main: command() });
    server.close();
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).listeners).toMatchObject([{ protocol: 'tcp', address: '127.0.0.1', port }]);
  });

  itNeeding(missing, 'serves', async () => {
    const daemon = await Daemon.started([], { main: command() });
    const { status, text } = await daemon.get('/metrics');
    expect(status).toBe(200);
    const info = parseExposition(text).find(({ name }) => name === 'port_exporter_build_info');
    expect(info?.labels).toMatchObject({ version: VERSION });
    expect((await daemon.get('/-/ready')).status).toBe(200);
    expect((await daemon.get('/readme')).text).toBe(readFileSync(join(REPOSITORY, 'README.md'), 'utf8'));
    const page = (await daemon.get('/')).text;
    const assets = [...page.matchAll(/(?:href|src)="\.(\/-\/page\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(assets.map((path) => path.replace(/\?.*/, '')).toSorted()).toEqual([
      ...['/-/page/icon.svg', '/-/page/morph.js', '/-/page/refresh.js', '/-/page/style.css'],
    ]);
    for (const path of assets) {
      const asset = await daemon.get(path);
      expect({ path, status: asset.status }).toEqual({ path, status: 200 });
      expect(asset.text.length, path).toBeGreaterThan(100);
    }
    expect((await daemon.end()).code).toBe(0);
  });

  itNeeding(missing, 'serves with users and probes of files', async () => {
    const webConfig = join(directory, 'web.yml');
    const probes = join(directory, 'probes.yml');
    writeFileSync(webConfig, `basic_auth_users:\n  ann: ${await bcrypt.hash('secret', 4)}\n`);
    writeFileSync(probes, '- name: self\n  target: tcp://127.0.0.1:1\n');
    const args = [`--web.config.file=${webConfig}`, `--probe.file=${probes}`];
    const daemon = await Daemon.started(args, { main: command() });
    expect((await daemon.get('/metrics')).status).toBe(401);
    const Authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
    const { status, text } = await daemon.get('/metrics', { Authorization });
    expect(status).toBe(200);
    expect(text).toContain('port_probe_file_last_reload_successful 1\n');
    expect((await daemon.end()).code).toBe(0);
  });
});
