import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { newDirectory } from './procfs.ts';

/** A port as `nmap -sT` tells it. */
export interface NmapPort {
  readonly port: number;
  readonly state: string;
  /** By /etc/services; undefined where it names none. */
  readonly service: string | undefined;
}

/** What nmap says of a few ports of an address; of more than 25 it counts those of one state together. */
export function nmap(address: string, ports: string): NmapPort[] {
  // nmap's own list of services knows ports that /etc/services does not, and some by another name.
  const names = newDirectory();
  copyFileSync('/etc/services', join(names, 'nmap-services'));
  const family = address.includes(':') ? ['-6'] : [];
  const output = execFileSync(
    'nmap',
    ['-sT', '-Pn', '-n', ...PATIENCE, '--datadir', names, '-p', ports, '-oX', '-', ...family, address],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return [...output.matchAll(PORT)].map(([, port, state = '', service]) => ({
    port: Number(port),
    state,
    service,
  }));
}

/**
 * On loopback a rejection can come while connect() still has the socket, and is then told only after the next SYN, a second
 * later (tcp_v6_err(), net/ipv6/tcp_ipv6.c): nmap would have given up by then.
 */
const PATIENCE = '--initial-rtt-timeout 2s --min-rtt-timeout 2s --max-rtt-timeout 4s --max-retries 2'.split(
  ' ',
);

/** `<port protocol="tcp" portid="22"><state state="open" .../><service name="ssh" .../></port>` */
const PORT =
  /<port protocol="tcp" portid="(\d+)"><state state="([^"]+)"[^>]*\/>(?:<service name="([^"]+)"[^>]*\/>)?<\/port>/g;
