import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { KERNEL_SHOWS_BOUND_ONLY } from '../live/support/kernel.ts';
import { describeOverBpf } from '../live/support/privilege.ts';
import { SERVER_PORT } from '../live/support/world.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { BOTH, expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, type How, run, withMounts } from './support/program.ts';
import { mainWithDamagedBpf } from './support/withoutPackage.ts';

/** What every source knows exactly of such sockets as `openSockets` opens. */
const NUMBERS = [
  'port_connect_capacity_ports',
  'port_destination_available_ports',
  'port_destination_used_ports',
  'port_ephemeral_used_ports',
  'port_exhaustion_available_ports',
  'port_exhaustion_ratio',
  'port_listener_accept_queue',
  'port_local_address_available_ports',
  'port_sockets',
];

/** In a namespace of this test, which programs that it runs are in too. */
function openSockets(): void {
  const world = newWorld();
  times(20, () => world.connect('127.0.0.1'));
  times(10, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1' }));
  times(5, (i) => world.listen('127.0.0.8', 40_010 + i));
  if (KERNEL_SHOWS_BOUND_ONLY) times(4, (i) => world.bound('::1', 40_050 + i));
}

/** What one exposition says, and of which source. */
async function once(args: readonly string[], how: How): Promise<{ source: unknown; numbers: unknown }> {
  const { code, stdout, stderr } = await run(['--once', ...args], how);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const series = parseExposition(stdout);
  return {
    source: series.find(({ name }) => name === 'port_exporter_source_info')?.labels['source'],
    numbers: series.filter(({ name }) => NUMBERS.includes(name)),
  };
}

/** What the daemon says of where it reads from: one line, once. */
async function loggedBy(how: How): Promise<string> {
  const daemon = await Daemon.started(['--web.listen-address=127.0.0.1:9100'], how);
  const lines = daemon.lines.filter((line) => /bpf|BPF|reading socket tables/.test(line));
  await daemon.end();
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}

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
        const there = await once(['--sample.source=bpf'], {});
        expect(there.source).toBe('bpf');
        expect(there.numbers).not.toEqual([]);
        const refused = how();
        expect(await once([], refused)).toEqual({ source: 'netlink', numbers: there.numbers });
        const line = await loggedBy(refused);
        expect(line).toMatch(/^\S+ level=info msg="reading socket tables" source=netlink /);
        expect(line).toContain(` bpf_unavailable="${why}`);
        for (const args of BOTH) {
          const ended = await run([...args, '--sample.source=bpf'], refused);
          expectOneLine(ended, /./);
          expect(ended.stderr).toContain(`port-exporter: ${why}`);
        }
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
    const { numbers } = await once(['--sample.source=netlink'], {});
    expect(await once([], how)).toEqual({ source: 'bpf', numbers });
    expect(await loggedBy(how)).toMatch(/ source=bpf bound_only_sockets=seen$/);
  };

  it('than CAP_BPF and CAP_PERFMON', () => prove(withOnly('bpf', 'perfmon')));
  itNeeding(missingNobody, 'than these two, for a user who is not root', () => prove(asNobody));
  it('than CAP_SYS_ADMIN', () => prove(withOnly('sys_admin')));
});
