import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { onTestFinished } from 'vitest';
import { missingTool } from '../../e2e/support/needs.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import { Daemon } from '../../e2e/support/program.ts';
import { SECCOMP_PROFILE, writeBundle } from './bundle.ts';

/** Why no pod can be run here. */
export const missingRuntime =
  missingTool('runc') ??
  (existsSync(SECCOMP_PROFILE) ? undefined : `${SECCOMP_PROFILE} is not there`) ??
  (['x64', 'arm64'].includes(arch()) ? undefined : `no seccomp rules for ${arch()}`);

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const IMAGE_PASSWD = 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n';
const IMAGE_SERVICES = 'http 80/tcp\n';

let made = 0;

export interface Conditions {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the rest of its arguments, outside of the pod. */
  readonly launcher?: readonly string[];
  readonly objects?: Readonly<Record<string, string>>;
}

/**
 * The build, run by an OCI runtime as the DaemonSet's container on this machine as its node, once it has a sample. It
 * ends with the test.
 */
export async function startPod(
  daemonSet: IDaemonSet,
  { env = {}, launcher = [], objects = {} }: Conditions = {},
): Promise<Daemon> {
  const directory = newDirectory();
  const name = `port-exporter-test-${process.pid}-${made++}`;
  const rootfs = join(directory, 'rootfs');
  writeBundle(directory, daemonSet, {
    rootfs,
    mounts: fillRootfs(rootfs),
    entrypoint: ['/nodejs/bin/node', '/app/dist/main.js'],
    hostIp: '127.0.0.1',
    env,
    objects,
    cgroup: `/${name}`,
  });
  const runc = ['runc', '--root', join(directory, 'state')];
  onTestFinished(() => {
    execFileSync('runc', [...runc.slice(1), 'delete', '--force', name], { stdio: 'ignore' });
  });
  const started = new Daemon([], {
    // What would be run outside is left out: the bundle says it.
    launcher: [...launcher, 'sh', '-c', `exec ${runc.join(' ')} run --bundle ${directory} ${name}`],
  });
  await started.logged(/msg="first sample"/);
  return started;
}

/** What the image has, from this machine → what is to be mounted there. */
function fillRootfs(rootfs: string): { source: string; destination: string }[] {
  for (const directory of [
    'proc',
    'sys',
    'dev',
    'host',
    'app/dist',
    'app/node_modules',
    'nodejs/bin',
    'etc/port-exporter/web',
    'etc/port-exporter/probes',
    'usr',
  ]) {
    mkdirSync(join(rootfs, directory), { recursive: true });
  }
  for (const file of ['app/package.json', 'nodejs/bin/node']) writeFileSync(join(rootfs, file), '');
  writeFileSync(join(rootfs, 'etc/passwd'), IMAGE_PASSWD);
  writeFileSync(join(rootfs, 'etc/services'), IMAGE_SERVICES);
  const libraries = ['/lib', '/lib64'].filter((path) => existsSync(path));
  for (const path of libraries) {
    if (lstatSync(path).isSymbolicLink()) symlinkSync(readlinkSync(path), join(rootfs, path));
    else mkdirSync(join(rootfs, path));
  }
  return [
    { source: process.execPath, destination: '/nodejs/bin/node' },
    ...['/usr', ...libraries.filter((path) => !lstatSync(path).isSymbolicLink())].map((path) => ({
      source: path,
      destination: path,
    })),
    ...['dist', 'package.json', 'node_modules'].map((name) => ({
      source: join(REPOSITORY, name),
      destination: `/app/${name}`,
    })),
  ];
}
