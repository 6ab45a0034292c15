import { spawnSync } from 'node:child_process';

/** Ends the run with one line that names the Debian packages to install, if a program is missing. */
export function requireTools(): void {
  // An ordinary user's PATH lacks the folders of depmod and modprobe.
  process.env['PATH'] = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  if (process.arch !== 'x64') fail(`needs an x64 machine, this one is ${process.arch}`);
  if (which('apt-get') === undefined) fail('needs a Debian machine: the kernels are Debian packages');

  const missing = Object.entries(packageOf).filter(([program]) => which(program) === undefined);
  const packages = new Set(missing.map(([, name]) => name));
  if (!isStatic(which('busybox'))) packages.add('busybox-static');
  if (packages.size > 0) fail(`missing programs: apt-get install ${[...packages].join(' ')}`);
}

export function which(program: string): string | undefined {
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

const packageOf = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  modprobe: 'kmod',
  depmod: 'kmod',
  xz: 'xz-utils',
  cpio: 'cpio',
};

/** The package busybox has the same program, but one that needs libraries the initramfs lacks. */
function isStatic(program: string | undefined): boolean {
  return program !== undefined && spawnSync('ldd', [program]).status !== 0;
}

function fail(reason: string): never {
  console.error(`test:kernels: ${reason}`);
  process.exit(1);
}
