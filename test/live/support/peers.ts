import { execFileSync, spawnSync } from 'node:child_process';

/** The tools whose answers the exporter's must equal, run in the network namespace of this thread. */

export interface SsSocket {
  /** As the exporter writes it: `::` for ss's `*`, a mapped address as IPv4. */
  readonly address: string;
  readonly port: number;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  /** With `-p`. */
  readonly holders: readonly { readonly name: string; readonly pid: number }[];
  /** With `-m`. */
  readonly drops: number | undefined;
}

/** @param flags such as `-ltnp` */
export function ss(...flags: string[]): SsSocket[] {
  const lines = execFileSync('ss', ['-H', '-O', ...flags], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.trim() !== '').map(parseLine);
}

/** `LISTEN 0 511 [::ffff:127.0.0.1]:8080 *:* users:(("node",pid=7,fd=24)) skmem:(r0,rb131072,...,d0)`. */
function parseLine(line: string): SsSocket {
  const [, receiveQueue, sendQueue, address, port, rest = ''] =
    /^\S+ +(\d+) +(\d+) +(\S+):(\d+) +\S+(.*)$/.exec(line) ?? [];
  if (address === undefined) throw new Error(`not a line of ss: ${line}`);
  const drops = /skmem:\(.*,d(\d+)\)/.exec(rest)?.[1];
  return {
    address: address === '*' ? '::' : unbracketed(address).replace(/%\w+$/, ''),
    port: Number(port),
    receiveQueue: Number(receiveQueue),
    sendQueue: Number(sendQueue),
    holders: [...rest.matchAll(/\("((?:[^"\\]|\\.)*)",pid=(\d+),/g)].map(([, name = '', pid]) => ({
      name,
      pid: Number(pid),
    })),
    drops: drops === undefined ? undefined : Number(drops),
  };
}

export interface LsofSocket {
  readonly address: string;
  readonly port: number;
  readonly command: string;
  readonly user: string;
}

export const LSOF_IS_MISSING = spawnSync('lsof', ['-v']).error !== undefined;

/** `lsof -nP -iTCP -sTCP:LISTEN`, as lines of one field each: p(id), c(ommand), L(ogin), then t(ype) and n(ame) of each. */
export function lsofListeners(): LsofSocket[] {
  const { stdout } = spawnSync('lsof', ['+c', '0', '-nP', '-iTCP', '-sTCP:LISTEN', '-FpcLtn'], {
    encoding: 'utf8',
  });
  const fields: Record<string, string> = {};
  const sockets: LsofSocket[] = [];
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    fields[line.charAt(0)] = line.slice(1);
    if (!line.startsWith('n')) continue;
    const { c: command = '', L: user = '', t: type = '' } = fields;
    const [, name = '', port] = /^n(.*):(\d+)$/.exec(line) ?? [];
    const wildcard = type === 'IPv6' ? '::' : '0.0.0.0';
    const address = name === '*' ? wildcard : unbracketed(name);
    sockets.push({ address, port: Number(port), command, user });
  }
  return sockets;
}

/** What the C library calls this port; '' where it has no name for it. */
export function serviceName(port: number, protocol: 'tcp' | 'udp'): string {
  const { stdout } = spawnSync('getent', ['services', `${port}/${protocol}`], { encoding: 'utf8' });
  return stdout.split(/\s/)[0] ?? '';
}

function unbracketed(address: string): string {
  return address.replace(/^\[(.*)\]/, '$1').replace(/^::ffff:/, '');
}
