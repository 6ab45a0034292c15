/**
 * One host of a kind, in network, PID and mount namespaces of its own: opens its sockets, runs the built exporter on it, and
 * prints what that answers, as JSON. Is PID 1 there: everything ends with it.
 *
 *   unshare --net --pid --fork --kill-child --mount-proc node --import tsx scene.ts KIND MAIN PODS CGROUP...
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { holdAll, listen, type Place, send } from './crowd.ts';
import type { Capture, Kind } from './kinds.ts';

const [kind = '', main = '', pods = '', ...cgroups] = process.argv.slice(2);
const units = cgroups.filter((path) => path.endsWith('.service'));
const PORT = 10069;
const SELF = fileURLToPath(import.meta.url);

/** Which peers of the gateway exist, beyond it: `nat-servers` and `nat-clients` are this program again, in namespaces of theirs. */
const SERVERS: Place[] = Array.from({ length: 30 }, (_, nth) => ({ host: '10.92.2.2', port: 8000 + nth }));
const CLIENTS = ['10.92.1.2', '10.92.1.3', '10.92.1.4', '10.92.1.5'];

const SCENES: Readonly<Record<Kind, () => Promise<void>>> = {
  // sshd, a resolver, an agent: what nearly every machine has
  vm: async () => {
    await populate({ listeners: 6, destinations: 4, connections: 3 });
  },
  web: async () => {
    await populate({ listeners: 40, destinations: 60, connections: 60 });
  },
  node30: () => node(30),
  node100: () => node(100),
  nat: async () => {
    await populate({ listeners: 8, destinations: 6, connections: 3 });
    await gateway();
  },
};

if (kind === 'nat-servers') {
  await Promise.all(SERVERS.map((place) => listen({ ...place, host: '0.0.0.0' })));
  console.log('ready');
} else if (kind === 'nat-clients') {
  for (const [nth, client] of CLIENTS.entries()) {
    const ports = Array.from({ length: 150 }, (_, index) => 20_000 + nth * 1000 + index);
    await send(client, ports, SERVERS);
  }
  await holdAll(SERVERS, (nth) => 40 + nth);
  console.log('ready');
} else {
  if (existsSync('/run/netns')) run('mount', '-t', 'tmpfs', 'none', '/run/netns');
  run('ip', 'link', 'set', 'lo', 'up');
  await SCENES[kind as Kind]();
  // The whole of it before the end: a pipe takes 64 KiB at once.
  process.stdout.write(JSON.stringify(await captured(kind as Kind)), () => process.exit(0));
}

interface Crowd {
  readonly listeners: number;
  readonly destinations: number;
  /** To each destination; to the first ten times as many. */
  readonly connections: number;
}

/** Sockets in a namespace, of as many owners as there are cgroups. */
async function populate({ listeners, destinations, connections }: Crowd): Promise<void> {
  const services = Array.from({ length: listeners }, (_, nth) => ({ host: '0.0.0.0', port: 3000 + nth }));
  const remotes = Array.from({ length: destinations }, (_, nth) => ({
    host: `127.0.1.${nth + 1}`,
    port: 8080,
  }));
  for (const [nth, place] of services.entries()) {
    enter(nth);
    await listen(place);
  }
  for (const place of remotes) await listen(place);
  for (const [nth, place] of remotes.entries()) {
    enter(nth);
    await holdAll([place], () => (nth === 0 ? 10 * connections : connections));
  }
}

function enter(nth: number): void {
  writeFileSync(`${units[nth % units.length]}/cgroup.procs`, '0');
}

async function node(count: number): Promise<void> {
  await populate({ listeners: 12, destinations: 25, connections: 4 });
  await started(
    spawn(pods, [String(count), ...cgroups.slice(units.length)], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
}

async function gateway(): Promise<void> {
  const side = async (role: string, device: string, own: string, others: readonly string[]) => {
    const command = ['--net', process.execPath, '--import', 'tsx', SELF, role];
    const wait = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    await sleep(200);
    run('ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'up0', 'netns', String(wait.pid));
    run('ip', 'address', 'add', `${own}/24`, 'dev', device);
    run('ip', 'link', 'set', device, 'up');
    const inside = (...args: string[]) => run('nsenter', `--net=/proc/${wait.pid}/ns/net`, 'ip', ...args);
    for (const other of others) inside('address', 'add', `${other}/24`, 'dev', 'up0');
    inside('link', 'set', 'up0', 'up');
    inside('route', 'add', 'default', 'via', own);
    return async () => {
      const program = [`--net=/proc/${wait.pid}/ns/net`, ...command.slice(1)];
      await started(spawn('nsenter', program, { stdio: ['ignore', 'pipe', 'inherit'] }));
    };
  };
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  const servers = await side('nat-servers', 'outer', '10.92.2.1', ['10.92.2.2']);
  const clients = await side('nat-clients', 'inner', '10.92.1.1', CLIENTS);
  execFileSync('nft', ['-f', '-'], {
    input:
      'table ip nat {\nchain after {\ntype nat hook postrouting priority 100;\noifname "outer" masquerade fully-random\n}\n}\n',
  });
  writeFileSync('/proc/sys/net/netfilter/nf_conntrack_udp_timeout', '600');
  await servers();
  await clients();
}

/** Waits until it says that it is ready. */
async function started(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit').then(() =>
    Promise.reject(new Error(`${child.spawnargs.join(' ')} ended`)),
  );
  if (child.stdout !== null) await Promise.race([once(child.stdout, 'data'), gone]);
  gone.catch(() => {});
}

async function captured(kind: Kind): Promise<Capture> {
  const flags = [
    `--web.listen-address=127.0.0.1:${PORT}`,
    '--log.level=error',
    '--processes.budget=5s',
    '--sample.interval=1s',
  ];
  // Beyond a real gateway are other hosts.
  if (kind === 'nat') flags.push('--namespaces=self');
  spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
  for (let tries = 0; ; tries++) {
    const isReady = await scrape('/-/ready', {}).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (isReady) break;
    if (tries > 600) throw new Error('the exporter was not ready within a minute');
    await sleep(100);
  }
  // Later samples know who listens, and of which owner.
  await sleep(5000);
  const accept = {
    text: 'text/plain;version=0.0.4',
    openmetrics: 'application/openmetrics-text;version=1.0.0',
  };
  const gzip = { 'accept-encoding': 'gzip' };
  const text = await scrape('/metrics', { accept: accept.text });
  const textGzip = await scrape('/metrics', { accept: accept.text, ...gzip });
  const openmetrics = await scrape('/metrics', { accept: accept.openmetrics });
  const openmetricsGzip = await scrape('/metrics', { accept: accept.openmetrics, ...gzip });
  return {
    kind,
    text: text.body.toString(),
    bytes: {
      text: text.body.length,
      textGzip: textGzip.body.length,
      openmetrics: openmetrics.body.length,
      openmetricsGzip: openmetricsGzip.body.length,
    },
  };
}

function scrape(path: string, headers: Record<string, string>): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: PORT, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }));
    }).on('error', reject);
  });
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
