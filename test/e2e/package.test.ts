import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, type Ended, run } from './support/program.ts';

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
          'dist/sampling/sampler.js',
          'dist/launcher/launcher.js',
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
      .filter((path) => !path.endsWith('.ts') && statSync(join(REPOSITORY, 'deploy', path)).isFile())
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
    for (const name of Object.keys(manifest.dependencies)) expect(installed).toContain(name.split('/')[0]);
    expect(installed).not.toContain('typescript');
    expect(installed).not.toContain('vitest');
  });

  itNeeding(missing, 'samples once', async () => {
    const { code, stdout, stderr }: Ended = await run(['--once'], { main: command() });
    expect(code, stderr).toBe(0);
    const usable = parseExposition(stdout).find(({ name }) => name === 'port_ephemeral_ports');
    expect(usable?.value).toBeGreaterThan(0);
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
    expect((await daemon.end()).code).toBe(0);
  });
});
