import { KernelError } from '../base/errors.ts';
import { loadKoffi } from './koffi.ts';

/** _exit(2): ends the process at once, whatever its threads do. Throws an ExporterError as `loadKoffi` does. */
export function exitNow(code: number): void {
  loadKoffi().load(null).func('void _exit(int)')(code);
}

/**
 * execvp(3): this process becomes another program, in the namespaces of the calling thread, with the same stdin, stdout and
 * stderr. Throws a KernelError, and an ExporterError as `loadKoffi` does.
 *
 * @param inherited more file descriptors that the program gets
 */
export function becomeProgram(
  words: readonly [string, ...string[]],
  inherited: readonly number[] = [],
): never {
  const koffi = loadKoffi();
  const lib = koffi.load(null);
  // Node lets no program that it starts inherit any unasked.
  const fcntl = lib.func('int fcntl(int, int, ...)');
  for (const fd of [0, 1, 2, ...inherited]) fcntl(fd, F_SETFD, 'int', 0);
  lib.func('int execvp(const char *, const char **)')(words[0], [...words, null]);
  throw new KernelError(`execvp() of ${words[0]}`, koffi.errno());
}

/** `asm-generic/fcntl.h` */
const F_SETFD = 2;

/**
 * Has the kernel end this process by SIGKILL as soon as the thread that started it ends (PR_SET_PDEATHSIG(2const)), also where it
 * hangs or is stopped. Throws an ExporterError as `loadKoffi` does.
 */
export function dieWithParent(): void {
  loadKoffi().load(null).func(PRCTL)(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/**
 * Gives up the capabilities of the calling thread for good: the program that it becomes has none, in any thread, and gets none
 * back, not even as root (capabilities(7), “Transformation of capabilities during execve()”; PR_SET_NO_NEW_PRIVS(2const)).
 * What a sandbox forbids is left out: not every user needs every step. Throws an ExporterError as `loadKoffi` does.
 */
export function giveUpCapabilities(): void {
  const lib = loadKoffi().load(null);
  const prctl = lib.func(PRCTL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Fails with EINVAL after the last one the kernel knows, and with EPERM without CAP_SETPCAP.
  for (
    let capability = 0;
    capability < 64 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) === 0;
    capability++
  );
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const header = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  lib.func('int capset(uint32_t *, uint32_t *)')(header, new Uint32Array(2 * WORDS_OF_CAP_USER_DATA));
}

/**
 * Whether a child of this process has ended, and is not known any more (waitpid(2) with WNOHANG). For one that Node did not start.
 * Throws an ExporterError as `loadKoffi` does.
 */
export function hasEnded(pid: number): boolean {
  return loadKoffi().load(null).func('int waitpid(int, int *, int)')(pid, null, WNOHANG) !== 0;
}

/** `include/uapi/linux/wait.h` */
const WNOHANG = 1;

const PRCTL = 'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)';

/** `include/uapi/linux/prctl.h` */
const PR_SET_PDEATHSIG = 1;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** `include/uapi/linux/capability.h` */
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** struct __user_cap_data_struct: effective, permitted, inheritable. Version 3 has two of them. */
const WORDS_OF_CAP_USER_DATA = 3;

const SIGKILL = 9;
