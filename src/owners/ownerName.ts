import { printable } from '../base/printable.ts';

/** Who a cgroup belongs to, as people know it. */
export interface Owner {
  /** `nginx.service`, `user@1000.service/foo.service`, `container/<id>`, `pod/<uid>/<id>`, `pod/<uid>`, or the path. */
  readonly owner: string;
  /** The systemd unit; of a container with a systemd of its own, the unit in there. */
  readonly unit?: string;
  /** The first 12 digits, as `docker ps` prints them; of LXC the container's name. */
  readonly containerId?: string;
  readonly podUid?: string;
}

const PATH_LIMIT = 200;
const NAME_LIMIT = 64;
const SHORT_ID = 12;

/** The owner of a cgroup by its path below the mount, `/system.slice/nginx.service`. */
export function ownerOf(path: string): Owner {
  const segments = path.split('/').flatMap(splitRuntimePath);
  return podOwner(segments) ?? containerOwner(segments) ?? unitOwner(segments) ?? pathOwner(path);
}

/**
 * A runtime told to use systemd that did not: runc's `slice:prefix:id` as one directory,
 * `/system.slice/containerd.service/kubepods-burstable-pod36b6….slice:cri-containerd:79fe…`.
 */
function splitRuntimePath(segment: string): string[] {
  const [, slice, prefix, id] = /^([^:]+\.slice)?:([a-z][\w-]*):([^:]+)$/.exec(segment) ?? [];
  const parts = id === undefined ? [segment] : [slice ?? '', `${prefix}-${id}.scope`];
  return parts.filter((part) => part !== '');
}

/** The innermost pod, because Kubernetes in a container (kind) lies below that; its container as Kubernetes knows it. */
function podOwner(segments: readonly string[]): Owner | undefined {
  const at = segments.findLastIndex((_, index) => podUidAt(segments, index) !== undefined);
  const podUid = podUidAt(segments, at);
  if (podUid === undefined) return undefined;
  const below = segments.slice(at + 1);
  const containerAt = below.findIndex((_, index) => containerIdAt(below, index) !== undefined);
  const containerId = containerIdAt(below, containerAt);
  if (containerId === undefined) return { owner: `pod/${podUid}`, podUid };
  return {
    owner: `pod/${podUid}/${containerId}`,
    podUid,
    containerId,
    ...unitIn(below.slice(containerAt + 1)),
  };
}

function podUidAt(segments: readonly string[], index: number): string | undefined {
  const segment = segments[index] ?? '';
  const [, escaped] = POD_SLICE.exec(segment) ?? [];
  if (escaped !== undefined) return escaped.replaceAll('_', '-');
  if (segments[index - 1] !== 'kubepods' && segments[index - 2] !== 'kubepods') return undefined;
  return POD_DIRECTORY.exec(segment)?.[1];
}

/** systemd driver: `kubepods-burstable-pod<uid with _>.slice`, below a cgroup root `kubelet-kubepods-…` (kind). */
const POD_SLICE = /^(?:.+-)?kubepods(?:-[a-z]+)?-pod(\w{1,64})\.slice$/;
/** cgroupfs driver: `/kubepods/burstable/pod<uid>`. A static pod's uid is a hash without dashes. */
const POD_DIRECTORY = /^pod([\w-]{1,64})$/;

/** The innermost container: who runs containers in a container tells them apart. */
function containerOwner(segments: readonly string[]): Owner | undefined {
  const at = segments.findLastIndex((_, index) => containerIdAt(segments, index) !== undefined);
  const containerId = containerIdAt(segments, at);
  if (containerId === undefined) return undefined;
  const own = segments[at]?.startsWith('libpod-payload-') ? unitOwner(segments.slice(0, at)) : undefined;
  // Quadlet and `podman run --cgroups=split` keep the container inside its service, which outlives it.
  if (own !== undefined) return { ...own, containerId };
  return { owner: `container/${containerId}`, containerId, ...unitIn(segments.slice(at + 1)) };
}

function containerIdAt(segments: readonly string[], index: number): string | undefined {
  const segment = segments[index] ?? '';
  const [, prefix = '', id] = CONTAINER.exec(segment) ?? [];
  if (id !== undefined && !prefix.includes('conmon')) return id.slice(0, SHORT_ID);
  const [, payload] = /^lxc\.payload\.(.+)$/.exec(segment) ?? [];
  const parent = segments[index - 1];
  const name = parent === 'lxc' || parent === 'lxc.payload' ? segment : payload;
  return name === undefined || name === '' ? undefined : printable(name, NAME_LIMIT);
}

/**
 * An id of 64 digits: alone (docker, containerd, Kubernetes with cgroupfs), as `crio-<id>`, or as a scope: `docker-`,
 * `cri-containerd-`, `crio-`, `nerdctl-`, `libpod-<id>.scope`. Podman's and cri-o's conmon is the monitor beside it.
 */
const CONTAINER = /^([a-z][\w.-]*-)?([0-9a-f]{64})(?:\.scope)?$/;

/** Two users' units of one name are two owners, and neither is the system's. */
function unitOwner(segments: readonly string[]): Owner | undefined {
  const at = segments.findIndex(isUnit);
  const unit = unitName(segments[at]);
  if (unit === undefined) return undefined;
  if (!/^user@.+\.service$/.test(unit)) return { owner: unit, unit };
  const userUnit = unitName(segments.slice(at + 1).find(isUnit));
  // The user's systemd itself is in an init.scope of its own.
  if (userUnit === undefined || userUnit === 'init.scope') return { owner: unit, unit };
  return { owner: `${unit}/${userUnit}`, unit: userUnit };
}

function unitIn(segments: readonly string[]): { unit?: string } {
  const unit = unitOwner(segments)?.unit;
  return unit === undefined ? {} : { unit };
}

/** Units that hold processes; below a unit everything is the unit's, whatever it is called. Slices only group them. */
function isUnit(segment: string): boolean {
  return segment.length <= 256 && /^[\w:.\\@-]+\.(?:service|scope|socket|mount|swap)$/.test(segment);
}

/** cg_escape() of systemd puts `_` before names that could be the kernel's files, `_cpu.service`. */
function unitName(segment: string | undefined): string | undefined {
  return segment?.replace(/^_/, '');
}

function pathOwner(path: string): Owner {
  return { owner: printable(path === '' ? '/' : path, PATH_LIMIT) };
}
