import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { describeOverBpf } from '../live/support/privilege.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { type How, withMounts } from './support/program.ts';
import { expectBpf, expectNetlinkInstead, numbersOverBpf, openSockets, readOnce } from './support/sources.ts';
import { mainWithDamagedBpf } from './support/withoutPackage.ts';

/** As root, with no more than these capabilities. */
function withOnly(...capabilities: readonly string[]): How {
  const set = ['-all', ...capabilities.map((capability) => `+${capability}`)].join(',');
  return { launcher: ['setpriv', `--bounding-set=${set}`, `--inh-caps=${set}`, '--'] };
}

/** Where the kernel refuses bpf(2) with that error. Takes gcc. */
function refusing(error: 'EPERM' | 'ENOSYS'): How {
  const program = join(newDirectory(), 'refuseBpf');
  execFileSync('gcc', ['-o', program, fileURLToPath(new URL('./support/refuseBpf.c', import.meta.url))]);
  return { launcher: [program, String(constants.errno[error])] };
}

const NO_GCC = missingTool('gcc');
const NO_BTF = 'mount -t tmpfs none /sys/kernel/btf';

const REFUSALS: readonly (readonly [
  what: string,
  how: () => How,
  why: string,
  missing?: string | undefined,
])[] = [
  ['no capability', () => withOnly(), 'needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN: bpf('],
  ['CAP_BPF alone', () => withOnly('bpf'), 'needs CAP_PERFMON, or CAP_SYS_ADMIN: bpf('],
  ['CAP_PERFMON alone', () => withOnly('perfmon'), 'needs CAP_BPF, or CAP_SYS_ADMIN: bpf('],
  ['a seccomp filter that says EPERM', () => refusing('EPERM'), 'a seccomp filter: bpf(', NO_GCC],
  ['a seccomp filter that says ENOSYS', () => refusing('ENOSYS'), 'a seccomp filter: bpf(', NO_GCC],
  [
    'a kernel without BTF',
    () => ({ launcher: withMounts(NO_BTF) }),
    'the kernel has no BTF (/sys/kernel/btf/vmlinux)',
  ],
  ['programs that are half there', () => ({ main: mainWithDamagedBpf(20_000) }), 'reading /'],
  ['programs that are not there', () => ({ main: mainWithDamagedBpf(0) }), 'reading /'],
];

describeOverBpf('where BPF is refused', () => {
  for (const [what, how, why, missing] of REFUSALS) {
    itNeeding(
      missing,
      `netlink takes over, with the same numbers, and one line says why: ${what}`,
      async () => {
        openSockets();
        await expectNetlinkInstead(await numbersOverBpf(), why, how());
      },
    );
  }
});

describeOverBpf('BPF takes no more', () => {
  const asNobody: How = {
    launcher: [
      ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
      ...['--inh-caps=+bpf,+perfmon', '--ambient-caps=+bpf,+perfmon', '--'],
    ],
  };
  const prove = async (how: How) => {
    openSockets();
    const { numbers } = await readOnce(['--sample.source=netlink']);
    await expectBpf(numbers, how);
  };

  it('than CAP_BPF and CAP_PERFMON', () => prove(withOnly('bpf', 'perfmon')));
  itNeeding(missingNobody, 'than these two, for a user who is not root', () => prove(asNobody));
  it('than CAP_SYS_ADMIN', () => prove(withOnly('sys_admin')));
});
