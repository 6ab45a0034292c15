import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { UnpackedKernel } from './fetchKernel.ts';
import { initScript, testScript } from './guestScripts.ts';
import { which } from './tools.ts';

/** What the kernel starts from: busybox, the modules it takes to reach the machine's files, and the guest's two scripts. */
export function packInitramfs(
  kernel: UnpackedKernel,
  command: string,
  project: string,
  work: string,
): string {
  const busybox = which('busybox') ?? 'busybox';
  const root = join(work, 'initramfs');
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['bin', 'modules', 'host', 'scratch', 'machine']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const modules = copyModules(kernel, join(root, 'modules'));
  writeFileSync(join(root, 'init'), initScript(kernel, modules, project), { mode: 0o755 });
  writeFileSync(join(root, 'tests'), testScript(busybox, command));

  const archive = join(work, 'initramfs.cpio');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).join('\n');
  const format = ['--create', '--format=newc', '--owner=0:0', '--quiet', `--file=${archive}`];
  execFileSync('cpio', format, { cwd: root, input: files, stdio: ['pipe', 'inherit', 'inherit'] });
  return archive;
}

/** The machine's files (virtio_pci, 9p), writing above them (overlay), and the dumps the exporter reads. */
const wanted = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'tcp_diag', 'udp_diag'];

/** Copies the modules, uncompressed, and names them in the order to load them in. */
function copyModules(kernel: UnpackedKernel, folder: string): string[] {
  const options = ['-d', kernel.root, '-S', kernel.release, '--show-depends', '-a', ...wanted];
  const plan = execFileSync('modprobe', options, { encoding: 'utf8' });
  // "insmod /path/to/name.ko.xz" with a trailing blank; what is built into the kernel is a "builtin name" instead.
  const paths = new Set([...plan.matchAll(/^insmod (\S+)/gm)].map(([, path = '']) => path));
  return [...paths].map((path) => {
    const name = basename(path, '.xz');
    if (path.endsWith('.xz')) {
      writeFileSync(join(folder, name), execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 26 }));
    } else {
      copyFileSync(path, join(folder, name));
    }
    return name;
  });
}
