import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';

/** Packages of Debian that gcr.io/distroless/nodejs22-debian12 consists of, as far as programs notice. */
const RUNTIME_PACKAGES = [
  'base-files',
  'netbase',
  'tzdata',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'gcc-12-base',
];
/** The three users it knows. */
const PASSWD = [
  'root:x:0:0:root:/root:/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
];

/** The official build of Node 22 as npm has it → the unpacked package: `bin/node`. */
export function fetchNode(work: string): string {
  const directory = join(work, 'node');
  mkdirSync(directory);
  const packed = execFileSync('npm', ['pack', '--silent', `node-linux-${arch()}@22`], {
    cwd: directory,
    encoding: 'utf8',
  });
  const [tarball = ''] = packed.trim().split('\n').reverse();
  execFileSync('tar', ['--extract', '--file', tarball, '--strip-components=1'], { cwd: directory });
  return directory;
}

/** What stands in for node:22-bookworm-slim: Debian's smallest system with Node and npm. */
export function makeBuildBase(work: string, node: string): string {
  const root = join(work, 'build-base');
  execFileSync('debootstrap', ['--variant=minbase', 'bookworm', root], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  cpSync(join(node, 'bin/node'), join(root, 'usr/local/bin/node'));
  const globalModules = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
  cpSync(join(globalModules, 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  const { NODE_EXTRA_CA_CERTS } = process.env;
  if (NODE_EXTRA_CA_CERTS !== undefined) cpSync(NODE_EXTRA_CA_CERTS, join(root, EXTRA_CERTIFICATES));
  return root;
}

/** Where npm reaches its registry through a proxy whose certificate this machine trusts, the build has to trust it too. */
export const EXTRA_CERTIFICATES = '/etc/extra-ca-certificates.crt';

/** What stands in for gcr.io/distroless/nodejs22-debian12: made of the same packages, without a shell. */
export function makeRuntimeBase(work: string, node: string): string {
  const [root, packages] = [join(work, 'runtime-base'), join(work, 'packages')];
  for (const directory of [root, packages]) mkdirSync(directory);
  // apt-get's sandbox user could not write here.
  execFileSync('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', ...RUNTIME_PACKAGES], {
    cwd: packages,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const name of readdirSync(packages))
    execFileSync('dpkg-deb', ['--extract', join(packages, name), root]);
  mkdirSync(join(root, 'nodejs/bin'), { recursive: true });
  cpSync(join(node, 'bin/node'), join(root, 'nodejs/bin/node'));
  mkdirSync(join(root, 'home/nonroot'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), `${PASSWD.join('\n')}\n`);
  chmodSync(join(root, 'tmp'), 0o1777);
  return root;
}
