import { expect } from 'vitest';
import { newWorld, times } from '../../live/support/exact.ts';
import { KERNEL_SHOWS_BOUND_ONLY } from '../../live/support/kernel.ts';
import { SERVER_PORT } from '../../live/support/world.ts';
import { parseExposition } from '../../support/exposition.ts';
import { BOTH, expectOneLine } from './oneLine.ts';
import { Daemon, type How, run } from './program.ts';

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
export function openSockets(): void {
  const world = newWorld();
  times(20, () => world.connect('127.0.0.1'));
  times(10, () => world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1' }));
  times(5, (i) => world.listen('127.0.0.8', 40_010 + i));
  if (KERNEL_SHOWS_BOUND_ONLY) times(4, (i) => world.bound('::1', 40_050 + i));
}

/** What one exposition says, and of which source. */
export async function readOnce(
  args: readonly string[],
  how: How = {},
): Promise<{ source: unknown; numbers: unknown }> {
  const { code, stdout, stderr } = await run(['--once', ...args], how);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const series = parseExposition(stdout);
  return {
    source: series.find(({ name }) => name === 'port_exporter_source_info')?.labels['source'],
    numbers: series.filter(({ name, labels }) => NUMBERS.includes(name) && isKnown(labels['state'])),
  };
}

/** Netlink has no number of sockets that it does not show. */
function isKnown(state: string | undefined): boolean {
  return state !== 'bound_inactive' || KERNEL_SHOWS_BOUND_ONLY;
}

/** What BPF says of these sockets. */
export async function numbersOverBpf(): Promise<unknown> {
  const { source, numbers } = await readOnce(['--sample.source=bpf']);
  expect(source).toBe('bpf');
  expect(numbers).not.toEqual([]);
  return numbers;
}

/** Nothing is said but that BPF is read from, and the numbers are these. */
export async function expectBpf(numbers: unknown, how: How = {}): Promise<void> {
  expect(await readOnce([], how)).toEqual({ source: 'bpf', numbers });
  expect(await sourceLogged(how)).toMatch(/ source=bpf bound_only_sockets=seen$/);
}

/** Netlink takes over with these numbers, and one line says why; who asks for BPF is told the same, and nothing runs. */
export async function expectNetlinkInstead(numbers: unknown, why: string, how: How = {}): Promise<void> {
  expect(await readOnce([], how)).toEqual({ source: 'netlink', numbers });
  const line = await sourceLogged(how);
  expect(line).toMatch(/^\S+ level=info msg="reading socket tables" source=netlink /);
  expect(line).toContain(` bpf_unavailable="${why}`);
  for (const args of BOTH) {
    const ended = await run([...args, '--sample.source=bpf'], how);
    expectOneLine(ended, /./);
    expect(ended.stderr).toContain(`port-exporter: ${why}`);
  }
}

/** What the daemon says of where it reads from: one line, once. */
async function sourceLogged(how: How): Promise<string> {
  const daemon = await Daemon.started(['--web.listen-address=127.0.0.1:9100'], how);
  const lines = daemon.lines.filter((line) => /bpf|BPF|reading socket tables/.test(line));
  await daemon.end();
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}
