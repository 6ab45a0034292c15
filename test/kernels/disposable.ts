import { readFileSync } from 'node:fs';

/** On the command line of a kernel that is booted for tests alone. A kernel ignores parameters of modules that are not there. */
export const disposableMark = 'port_exporter.disposable';

/** Whether nothing but tests runs on this kernel. No variable says so: one may be set by mistake, where somebody works. */
export function isDisposable(): boolean {
  return readFileSync('/proc/cmdline', 'utf8').trim().split(' ').includes(disposableMark);
}
