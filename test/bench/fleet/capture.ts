import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCgroupMount } from '../../../src/owners/cgroupMount.ts';
import { BenchError } from '../benchError.ts';
import type { Capture, Kind } from './kinds.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const SCENE = fileURLToPath(new URL('./scene.ts', import.meta.url));
const ISOLATED = [
  '--pdeathsig',
  'KILL',
  'unshare',
  '--net',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** What a host of that kind answers to a scrape: the built exporter among real sockets. Needs root. @param pods the program */
export async function capture(kind: Kind, pods: string, signal: AbortSignal): Promise<Capture> {
  const made: string[] = [];
  try {
    const cgroups = cgroupPaths(kind).map((path) => makeCgroup(path, made));
    const args = [...ISOLATED, process.execPath, '--import', 'tsx', SCENE, kind, MAIN, pods, ...cgroups];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const kill = () => child.kill('SIGKILL');
    signal.addEventListener('abort', kill);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code] = await once(child, 'close');
    signal.removeEventListener('abort', kill);
    signal.throwIfAborted();
    if (code !== 0) throw new BenchError(`the host of kind ${kind} ended with code ${code}`);
    return JSON.parse(output) as Capture;
  } finally {
    for (const directory of made.toReversed()) await removeCgroup(directory);
  }
}

/** As systemd and the kubelet call them: what becomes the labels `owner` and `netns`. */
function cgroupPaths(kind: Kind): string[] {
  const units = (count: number) =>
    Array.from({ length: count }, (_, nth) => `system.slice/service-${nth}.service`);
  const pods = (count: number) =>
    Array.from({ length: count }, () => {
      const uid = randomUUID().replaceAll('-', '_');
      const container = randomBytes(32).toString('hex');
      return `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid}.slice/cri-containerd-${container}.scope`;
    });
  const paths = {
    vm: units(5),
    web: units(12),
    node30: [...units(8), ...pods(30)],
    node100: [...units(8), ...pods(100)],
    nat: units(6),
  };
  return paths[kind];
}

function makeCgroup(path: string, made: string[]): string {
  const mount = findCgroupMount('/proc', '/sys').path;
  if (mount === undefined) throw new BenchError('no cgroup v2 is mounted');
  let directory = mount;
  for (const name of [`port-exporter-fleet-${process.pid}.slice`, ...path.split('/')]) {
    directory = join(directory, name);
    if (made.includes(directory)) continue;
    mkdirSync(directory);
    made.push(directory);
  }
  return directory;
}

/** Its processes were just killed, and may take a moment. */
async function removeCgroup(directory: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return rmdirSync(directory);
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
