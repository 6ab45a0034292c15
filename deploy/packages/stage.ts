import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { COMMANDS } from '../../src/cli/commandLine.ts';
import { VERSION } from './identity.ts';
import { manPage } from './manPage.ts';
import { packagedUnit } from './unit.ts';

/** Architectures there are packages for, as npm, dpkg and rpm call them. */
export const ARCHITECTURES = {
  amd64: { npm: 'x64', rpm: 'x86_64' },
  arm64: { npm: 'arm64', rpm: 'aarch64' },
} as const;

export type Architecture = keyof typeof ARCHITECTURES;

export const CONFFILE = 'etc/default/port-exporter';
const PROJECT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const LIBRARY = 'usr/lib/port-exporter';
const DOCUMENTS = 'usr/share/doc/port-exporter';

/**
 * Writes what a package installs: the build of dist/ with the libraries that it needs at run time, as npm has them for that
 * architecture, the unit, the man page, the completion of bash. Throws where npm or the build fails.
 *
 * @param root a folder that is there and empty; it becomes `/`
 */
export function stage(root: string, architecture: Architecture): void {
  const put = (path: string, content: string | Buffer, mode = 0o644): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  stageProgram(join(root, LIBRARY), ARCHITECTURES[architecture].npm);
  mkdirSync(join(root, 'usr/bin'));
  symlinkSync('../lib/port-exporter/dist/main.js', join(root, 'usr/bin/port-exporter'));
  put(
    'usr/lib/systemd/system/port-exporter.service',
    packagedUnit(deployed('systemd/port-exporter.service')),
  );
  put('usr/lib/sysusers.d/port-exporter.conf', 'u port-exporter - "Prometheus exporter port-exporter"\n');
  put(CONFFILE, deployed('systemd/port-exporter.env'));
  put(
    'usr/share/man/man1/port-exporter.1.gz',
    gzipSync(manPage({ version: VERSION, date: releaseDate(), commands: COMMANDS }), { level: 9 }),
  );
  put('usr/share/bash-completion/completions/port-exporter', completionOf(root));
  stageDocuments(join(root, DOCUMENTS));
}

/** Of the commit that is packaged, so that the same commit makes the same page. */
function releaseDate(): string {
  return execFileSync('git', ['log', '-1', '--format=%cs'], { cwd: PROJECT, encoding: 'utf8' }).trim();
}

/** Of a text in deploy/. */
export function deployed(path: string): string {
  return readFileSync(join(PROJECT, 'deploy', path), 'utf8');
}

/** What npm would publish, without its deploy/, and what that depends on. */
function stageProgram(into: string, cpu: string): void {
  const work = mkdtempSync(join(into, '..', '..', '..', '.staging-'));
  try {
    const packed = npm(PROJECT, 'pack', '--silent', '--ignore-scripts', `--pack-destination=${work}`);
    const [tarball = ''] = packed.trim().split('\n').reverse();
    execFileSync('tar', ['--extract', '--file', join(work, tarball), '--directory', work]);
    const unpacked = join(work, 'package');
    // The same versions that are tested.
    cpSync(join(PROJECT, 'package-lock.json'), join(unpacked, 'package-lock.json'));
    const target = ['--os=linux', `--cpu=${cpu}`, '--libc=glibc'];
    npm(unpacked, 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', ...target);
    mkdirSync(into, { recursive: true });
    for (const name of ['dist', 'node_modules', 'package.json', 'README.md'])
      cpSync(join(unpacked, name), join(into, name), { recursive: true, verbatimSymlinks: true });
    prune(join(into, 'node_modules'), cpu);
    // As policy wants it: whatever else is called node in somebody's PATH is not what it was tested with.
    const main = join(into, 'dist/main.js');
    writeFileSync(main, readFileSync(main, 'utf8').replace(/^#!.*/, '#!/usr/bin/node'));
    chmodSync(main, 0o755);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Binaries for other systems, and what only a build needs. What is executed stays where the library looks for it. */
function prune(modules: string, cpu: string): void {
  const drop = (...path: string[]) => rmSync(join(modules, ...path), { recursive: true, force: true });
  for (const platform of readdirSync(join(modules, 'bcrypt/prebuilds')))
    if (platform !== `linux-${cpu}`) drop('bcrypt/prebuilds', platform);
  for (const name of readdirSync(join(modules, 'bcrypt/prebuilds', `linux-${cpu}`)))
    if (name.includes('musl')) drop('bcrypt/prebuilds', `linux-${cpu}`, name);
  for (const name of ['src', 'examples', 'test', 'ISSUE_TEMPLATE', 'build-all.sh']) drop('bcrypt', name);
  for (const name of ['doc', 'vendor', 'lib']) drop('koffi', name);
  for (const name of ['.bin', '.package-lock.json']) drop(name);
  const native = `@koromix/koffi-linux-${cpu}`;
  for (const name of readdirSync(join(modules, native)).filter((one) => one.startsWith('musl')))
    drop(native, name);
  for (const path of readdirSync(modules, { recursive: true, encoding: 'utf8' })) {
    if (/(^|\/)\.(npmignore|gitattributes|eslintrc\.\w+)$/.test(path)) drop(path);
    // A library that Node.js loads is not executed.
    else if (path.endsWith('.node')) chmodSync(join(modules, path), 0o644);
  }
}

/** From the program itself, in the Node.js at hand: what it prints depends on no architecture. */
function completionOf(root: string): string {
  const main = join(root, LIBRARY, 'dist/main.js');
  return execFileSync(process.execPath, [main, 'completion', 'bash'], { encoding: 'utf8' });
}

function stageDocuments(into: string): void {
  mkdirSync(join(into, 'examples'), { recursive: true });
  writeFileSync(join(into, 'copyright'), deployed('packages/copyright'));
  symlinkSync('../../../lib/port-exporter/README.md', join(into, 'README.md'));
  for (const name of ['reference', 'runbooks.md', 'prometheus', 'grafana/port-exporter.json'])
    cpSync(join(PROJECT, 'deploy', name), join(into, 'examples', name), { recursive: true });
  for (const name of readdirSync(join(PROJECT, 'deploy/systemd')).filter((one) =>
    /\.(conf|socket)$/.test(one),
  ))
    cpSync(join(PROJECT, 'deploy/systemd', name), join(into, 'examples/systemd', name));
}

function npm(directory: string, ...args: readonly string[]): string {
  return execFileSync('npm', args, {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
