import { execFileSync, spawnSync } from 'node:child_process';
import { Actor } from './actor.ts';
import { enterFreshNamespace } from './posix.ts';
import { SERVER_PORT } from './world.ts';

/** Device indices, chosen here so that a test can write an address of a link: `fe80::1%101`. */
export const LINKS = { va: 101, vb: 102 } as const;

/**
 * Two links to another namespace, on both of which this one is fe80::1 and 10.0.0.1 and the other fe80::2 and 10.0.0.2,
 * who listens on SERVER_PORT. Packets to 10.0.0.2 leave by va where the socket is bound to no device.
 */
export async function addTwinLinks(): Promise<void> {
  const leave = enterFreshNamespace();
  const peer = new Actor();
  leave();
  await peer.listen('::', SERVER_PORT);
  const inside = (...args: string[]) => execFileSync('nsenter', ['-t', String(peer.pid), '-n', ...args]);
  for (const [device, index] of Object.entries(LINKS)) {
    ip(
      'link',
      'add',
      device,
      'index',
      String(index),
      'type',
      'veth',
      'peer',
      device,
      'netns',
      String(peer.pid),
    );
    const sides = [
      { run: ip, host: 1 },
      { run: (...args: string[]) => inside('ip', ...args), host: 2 },
    ];
    for (const { run, host } of sides) {
      run('link', 'set', device, 'addrgenmode', 'none');
      run('link', 'set', device, 'up');
      run('address', 'add', `fe80::${host}/64`, 'dev', device, 'nodad');
      run('address', 'add', `10.0.0.${host}/24`, 'dev', device);
    }
  }
}

/** Why no VRF can be made here; undefined where one can. */
export function vrfRefusal(): string | undefined {
  try {
    const leave = enterFreshNamespace();
    const command = ['link', 'add', 'red', 'type', 'vrf', 'table', '10'];
    const { status, stderr } = spawnSync('ip', command, { encoding: 'utf8' });
    leave();
    return status === 0 ? undefined : stderr.trim();
  } catch (error) {
    return String(error);
  }
}

/** A VRF with its table, and addresses of its own in it. */
export function addVrf(name: string, index: number, addresses: readonly string[]): void {
  askVrfsFirst();
  ip('link', 'add', name, 'index', String(index), 'type', 'vrf', 'table', String(index));
  ip('link', 'set', name, 'up');
  for (const address of addresses) {
    const [prefix, ...nodad] = address.includes(':') ? ['128', 'nodad'] : ['32'];
    ip('address', 'add', `${address}/${prefix}`, 'dev', name, ...nodad);
  }
}

/** Moves a link of `addTwinLinks` into a VRF, which takes its IPv6 addresses away. */
export function enslave(device: keyof typeof LINKS, vrf: string): void {
  ip('link', 'set', device, 'master', vrf);
}

/**
 * Lets the tables of VRFs be asked before that of local addresses, which is asked first of all otherwise: an address that
 * is both in a VRF and outside would be the one outside for everybody.
 */
function askVrfsFirst(): void {
  for (const family of ['-4', '-6']) {
    const { status } = spawnSync('ip', [family, 'rule', 'delete', 'pref', '0']);
    // The first VRF has moved it for the second.
    if (status === 0) ip(family, 'rule', 'add', 'pref', '32765', 'table', 'local');
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
