import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { type SeccompProfile, seccompFor } from './seccomp.ts';

/** What a node adds to the manifest. */
export interface Node {
  /** What the image holds. */
  readonly rootfs: string;
  /** Mounted over it. */
  readonly mounts?: readonly { readonly source: string; readonly destination: string }[];
  /** The image's command. */
  readonly entrypoint: readonly string[];
  readonly hostIp: string;
  /** Directories that the node has for volumes of Secrets and ConfigMaps, by the name of the object. */
  readonly objects?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Below the mount of every hierarchy. */
  readonly cgroup: string;
}

/** What Debian's container tools confine containers with: the same list of system calls as containerd's. */
export const SECCOMP_PROFILE = '/usr/share/containers/seccomp.json';

/**
 * Writes a bundle for an OCI runtime (github.com/opencontainers/runtime-spec, config.md): the one container of the
 * DaemonSet, as containerd's CRI plugin would describe it on a node with cgroup v2.
 */
export function writeBundle(directory: string, { spec }: IDaemonSet, node: Node): void {
  const pod = spec?.template.spec;
  const container = pod?.containers?.[0];
  if (pod === undefined || container === undefined) throw new Error('the DaemonSet has no container');
  const { securityContext = {}, volumeMounts = [], env = [], args = [] } = container;
  const capabilities = (securityContext.capabilities?.add ?? []).map((name) => `CAP_${name}`);
  const volumes = volumeMounts.map(({ name, mountPath, readOnly, recursiveReadOnly, mountPropagation }) => ({
    source: sourceOf(
      pod.volumes?.find((volume) => volume.name === name),
      node,
    ),
    destination: mountPath,
    type: 'bind',
    options: [
      'rbind',
      readOnlyOption(readOnly, recursiveReadOnly),
      mountPropagation === 'HostToContainer' ? 'rslave' : 'rprivate',
    ],
  }));
  const variables = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOST_IP: node.hostIp,
    ...Object.fromEntries(
      env
        .filter(({ value }) => value !== undefined)
        .map(({ name, value = '' }) => [name, value.replaceAll('$(HOST_IP)', node.hostIp)]),
    ),
    ...node.env,
  };
  const config = {
    ociVersion: '1.0.2',
    process: {
      user: { uid: securityContext.runAsUser, gid: securityContext.runAsGroup },
      args: [...node.entrypoint, ...args],
      env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      // No inheritable and no ambient ones.
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: securityContext.allowPrivilegeEscalation === false,
    },
    root: { path: node.rootfs, readonly: securityContext.readOnlyRootFilesystem },
    // One of the pod takes the place of the runtime's own, and what lies deeper is mounted later.
    mounts: withVolumes(volumes, [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
      },
      ...(node.mounts ?? []).map((mount) => ({
        ...mount,
        type: 'bind',
        options: ['rbind', 'ro', 'rprivate'],
      })),
    ]),
    linux: {
      cgroupsPath: node.cgroup,
      resources: { memory: { limit: bytes(container.resources?.limits?.['memory']) } },
      namespaces: [
        ...['mount', 'ipc', 'uts', 'cgroup'],
        ...(pod.hostNetwork === true ? [] : ['network']),
        ...(pod.hostPID === true ? [] : ['pid']),
      ].map((type) => ({ type })),
      seccomp: seccompFor(readProfile(), capabilities, arch()),
      maskedPaths: ['acpi', 'asound', 'kcore', 'keys', 'latency_stats', 'timer_list', 'scsi'].map(
        (name) => `/proc/${name}`,
      ),
      readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
    },
  };
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
}

type Volume = NonNullable<NonNullable<IDaemonSet['spec']>['template']['spec']>['volumes'];

function sourceOf(volume: NonNullable<Volume>[number] | undefined, { objects = {} }: Node): string {
  const object = volume?.secret?.secretName ?? volume?.configMap?.name;
  const source = object === undefined ? volume?.hostPath?.path : objects[object];
  if (source === undefined) throw new Error(`the node has nothing for the volume ${JSON.stringify(volume)}`);
  return source;
}

function readOnlyOption(readOnly: boolean | undefined, recursive: string | undefined): string {
  if (readOnly !== true) return 'rw';
  return recursive === 'IfPossible' ? 'rro' : 'ro';
}

function withVolumes<T extends { readonly destination: string }>(
  volumes: readonly T[],
  own: readonly T[],
): T[] {
  const kept = own.filter(({ destination }) => !volumes.some((volume) => volume.destination === destination));
  const depth = ({ destination }: T) => destination.split('/').length;
  return [...kept, ...volumes].toSorted((a, b) => depth(a) - depth(b));
}

function readProfile(): SeccompProfile {
  return JSON.parse(readFileSync(SECCOMP_PROFILE, 'utf8'));
}

/** `256Mi` */
function bytes(quantity: string | number | undefined): number {
  const [, digits] = /^(\d+)Mi$/.exec(String(quantity)) ?? [];
  if (digits === undefined) throw new Error(`no limit of memory in Mi: ${quantity}`);
  return Number(digits) * 1024 * 1024;
}
