import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { disposableMark } from './disposable.ts';
import type { UnpackedKernel } from './fetchKernel.ts';
import { hostTag, resultMarker } from './guestScripts.ts';

export interface BootResult {
  /** Upstream version and Debian revision, as the running kernel says it. */
  readonly version: string;
  readonly status: number;
  /** vitest's own count of tests: "3 passed | 1 skipped (4)". */
  readonly summary: string;
}

/** Several times what all of the usual tests take where nothing else runs. */
const limitMinutes = 60;

/**
 * Runs one kernel in the emulator until it powers off, its console shown as it comes.
 *
 * @param take returns true for a line that is not to be shown
 */
export async function boot(
  kernel: UnpackedKernel,
  initramfs: string,
  take: (line: string) => boolean = () => false,
): Promise<BootResult> {
  const started = Date.now();
  const qemu = spawn('qemu-system-x86_64', qemuArguments(kernel, initramfs), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => qemu.kill('SIGKILL');
  process.on('exit', kill);
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    kill();
  }, limitMinutes * 60_000);
  // Awaited only after the console has ended; a missing qemu must not be an unhandled rejection until then.
  const ended = new Promise<string>((resolve) => {
    qemu.once('error', (error) => resolve(error.message));
    qemu.once('close', (code, signal) => resolve(`exit code ${code ?? signal}`));
  });

  let result: Pick<BootResult, 'status' | 'version'> | undefined;
  let summary = 'no count of tests on the console';
  for await (const line of createInterface({ input: qemu.stdout })) {
    const plain = stripVTControlCharacters(line).trim();
    const marked = resultLine.exec(plain);
    if (marked !== null) {
      result = { status: Number(marked[1]), version: marked[2] ?? kernel.release };
      continue;
    }
    summary = /^Tests\s+(.+)$/.exec(plain)?.[1] ?? summary;
    if (!take(plain)) console.log(line);
  }

  const end = await ended;
  clearTimeout(limit);
  process.off('exit', kill);
  if (late) throw new Error(`not done after ${limitMinutes} minutes, ended`);
  if (result === undefined) throw new Error(`the emulator ended without a result, ${end}`);
  const seconds = Math.round((Date.now() - started) / 1000);
  return { ...result, summary: `${summary}, exit status ${result.status}, ${seconds} s` };
}

/** `uname -v` is "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)". */
const resultLine = new RegExp(`^${resultMarker} (\\d+) .*Debian (\\S+)`);

function qemuArguments(kernel: UnpackedKernel, initramfs: string): string[] {
  return [
    // Emulated even where /dev/kvm exists: on machines without nested virtualisation KVM hangs.
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max'],
    ...['-smp', String(Math.min(availableParallelism(), kernel.cpus)), '-m', '4096'],
    ...[
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-net',
      'none',
      '-no-reboot',
    ],
    ...['-kernel', kernel.image, '-initrd', initramfs],
    ...['-append', `console=ttyS0 quiet panic=-1 ${disposableMark}`],
    '-virtfs',
    `local,path=/,mount_tag=${hostTag},security_model=none,readonly=on,multidevs=remap`,
  ];
}
