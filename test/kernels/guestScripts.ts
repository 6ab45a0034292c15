import { join, relative } from 'node:path';
import type { UnpackedKernel } from './fetchKernel.ts';
import { quote } from './testCommand.ts';

/** The tag under which qemu offers the machine's files to the guest. */
export const hostTag = 'host';

/** The last line on the console: this word, the exit status of the tests, and `uname -v`. */
export const resultMarker = 'kernel-tests-result:';

/** First stage, in the initramfs: the machine's files become the root folder, anything written goes to memory. */
export function initScript(kernel: UnpackedKernel, modules: readonly string[], project: string): string {
  // A tmpfs hides what the machine has there, so not over the project itself.
  const emptied = ['/tmp', '/run', '/dev/shm'].filter((folder) => relative(folder, project).startsWith('..'));
  const moduleTree = join('/machine/lib/modules', kernel.release);
  return `#!/bin/busybox sh
set -e
export PATH=/bin
/bin/busybox --install -s /bin
for module in ${modules.join(' ')}; do insmod /modules/$module; done

mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose ${hostTag} /host
mount -t tmpfs tmpfs /scratch
mkdir /scratch/upper /scratch/work
mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work overlay /machine

mount -t proc proc /machine/proc
mount -t sysfs sysfs /machine/sys
mount -t securityfs securityfs /machine/sys/kernel/security
mount -t cgroup2 cgroup2 /machine/sys/fs/cgroup
mount -t devtmpfs devtmpfs /machine/dev
mkdir -p /machine/dev/shm /machine/dev/pts
mount -t devpts devpts /machine/dev/pts
for folder in ${emptied.join(' ')}; do mount -t tmpfs -o mode=1777 tmpfs /machine$folder; done

# Whatever other module a test makes the kernel ask for, the machine's own modprobe finds here.
mkdir -p /machine/lib/modules
ln -s ${quote(join(kernel.root, 'lib/modules', kernel.release))} ${quote(moduleTree)}

ip link set lo up
cp /tests /machine/dev/shm/tests
# Not chroot: inside one the kernel refuses to make user namespaces.
exec switch_root /machine /bin/sh /dev/shm/tests
`;
}

/** Second stage, with the machine's files as root: the tests, the result line, power off. */
export function testScript(busybox: string, command: string): string {
  const status = '/dev/shm/status';
  return `
# Through cat: a pipe, not a terminal, as in any other automatic run.
{ ${command} </dev/null 2>&1; echo $? >${status}; } | cat
echo
echo "${resultMarker} $(cat ${status}) $(uname -v)"
# Switching off does not wait for the serial line to send what it still holds.
sleep 1
${quote(busybox)} poweroff -f
`;
}
