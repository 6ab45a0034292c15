import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What both bases are. */
const DEBIAN = 'trixie';
/** Packages of Debian that gcr.io/distroless/nodejs24-debian13 consists of, as far as programs notice. */
const RUNTIME_PACKAGES = [
  'base-files',
  'netbase',
  'tzdata',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'gcc-14-base',
];
/** The three users it knows. */
const PASSWD = [
  'root:x:0:0:root:/root:/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
];

/** What stands in for node:24-trixie-slim: Debian's smallest system with Node and npm. */
export function makeBuildBase(work: string, node: string): string {
  const root = join(work, 'build-base');
  execFileSync('debootstrap', ['--variant=minbase', DEBIAN, root], {
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

/** What stands in for gcr.io/distroless/nodejs24-debian13: made of the same packages, without a shell. */
export function makeRuntimeBase(work: string, node: string): string {
  const [root, packages] = [join(work, 'runtime-base'), join(work, 'packages')];
  for (const directory of [root, packages]) mkdirSync(directory);
  // This machine's own apt may know another Debian.
  const wanted = [`--include=${RUNTIME_PACKAGES.join(',')}`, '--variant=minbase', '--download-only'];
  execFileSync('debootstrap', [...wanted, DEBIAN, packages], { stdio: ['ignore', 'ignore', 'inherit'] });
  const archives = join(packages, 'var/cache/apt/archives');
  for (const name of RUNTIME_PACKAGES) {
    const file = readdirSync(archives).find((archive) => archive.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`debootstrap downloaded no ${name}`);
    execFileSync('dpkg-deb', ['--extract', join(archives, file), root]);
  }
  mkdirSync(join(root, 'nodejs/bin'), { recursive: true });
  cpSync(join(node, 'bin/node'), join(root, 'nodejs/bin/node'));
  mkdirSync(join(root, 'home/nonroot'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), `${PASSWD.join('\n')}\n`);
  chmodSync(join(root, 'tmp'), 0o1777);
  return root;
}
