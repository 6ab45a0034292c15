import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernel } from './kernels.ts';

export interface UnpackedKernel {
  /** The tree of the Debian package, its modules indexed by depmod. */
  readonly root: string;
  /** What `uname -r` says under it: the name of its folder of modules. */
  readonly release: string;
  readonly image: string;
  readonly cpus: number;
}

/** Debian's kernel package, from the cache if it was unpacked before (delete that folder for a newer one). */
export function fetchKernel(kernel: Kernel, cache: string, work: string): UnpackedKernel {
  const root = join(cache, kernel.version);
  if (!existsSync(root)) renameSync(unpack(download(kernel, work), work), root);

  const [release = ''] = readdirSync(join(root, 'lib/modules'));
  const image = [`boot/vmlinuz-${release}`, `lib/modules/${release}/vmlinuz`]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (image === undefined) throw new Error(`no vmlinuz in ${root}: delete that folder and run again`);
  return { root, release, image, cpus: kernel.cpus };
}

/**
 * apt in a folder of its own: the machine's mirror and proxy settings, but only the wanted release's list of packages.
 *
 * @returns the files of the packages
 */
function download(kernel: Kernel, work: string): string[] {
  const folder = join(work, kernel.release);
  mkdirSync(join(folder, 'lists'), { recursive: true });
  const source = `deb [signed-by=${keyring}] ${machineMirror()} ${kernel.release} main\n`;
  writeFileSync(join(folder, 'sources.list'), source);
  writeFileSync(join(folder, 'apt.conf'), aptConfiguration(folder));
  const environment = { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' };
  const apt = (program: string, ...args: string[]) =>
    execFileSync(program, args, {
      cwd: folder,
      encoding: 'utf8',
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  console.log(`kernel ${kernel.version}: downloading the package of Debian ${kernel.release}`);
  apt('apt-get', '-q', 'update');
  const name = /Depends: (linux-image-\S+)/.exec(apt('apt-cache', 'depends', 'linux-image-amd64'))?.[1];
  if (!name?.startsWith(`linux-image-${kernel.version}.`)) {
    throw new Error(
      `Debian ${kernel.release} has no kernel ${kernel.version}, its linux-image-amd64 is ${name}`,
    );
  }
  // Since 7.x an image package is empty, and depends on those with the image, the modules, and their lists.
  const parts = [
    ...apt('apt-cache', 'depends', name).matchAll(/Depends: (linux-(?:base|binary|modules)-\S+)/g),
  ];
  const names = parts.length > 0 ? parts.map(([, part = '']) => part) : [name];
  apt('apt-get', '-q', 'download', ...names);
  const files = readdirSync(folder).filter((entry) => entry.endsWith('.deb'));
  if (files.length !== names.length) throw new Error(`apt-get download ${names.join(' ')} left ${files}`);
  return files.map((file) => join(folder, file));
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

function machineMirror(): string {
  const format = ['--format', '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)', 'Created-By: Packages'];
  const targets = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' });
  const mirror = /^Debian Debian main (\S+)$/m.exec(targets)?.[1];
  if (mirror === undefined)
    throw new Error('no Debian mirror among the lists of apt: run apt-get update first');
  return mirror;
}

// Without the sandbox user, who could not write into a folder of the project.
const aptConfiguration = (folder: string) => `
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "${folder}";
Dir::State::status "/dev/null";
Dir::Cache "${folder}/cache";
APT::Sandbox::User "root";
APT::Architecture "amd64";
Acquire::Languages "none";
`;

function unpack(files: readonly string[], work: string): string {
  const root = join(work, 'unpacked');
  for (const file of files) {
    execFileSync('dpkg', ['-x', file, root], { stdio: 'inherit' });
    rmSync(file);
  }

  // Releases differ in where the modules are, and releases of kmod in where they look.
  linkIfAbsent(join(root, 'lib/modules'), '../usr/lib/modules');
  linkIfAbsent(join(root, 'usr/lib/modules'), '../../lib/modules');
  for (const release of readdirSync(join(root, 'lib/modules'))) {
    execFileSync('depmod', ['-b', root, release], { stdio: 'inherit' });
  }
  return root;
}

function linkIfAbsent(path: string, target: string): void {
  if (existsSync(path)) return;
  mkdirSync(join(path, '..'), { recursive: true });
  symlinkSync(target, path);
}
