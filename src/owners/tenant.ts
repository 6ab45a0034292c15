/** Whoever was given a cgroup of its own, and may make any others below it. */
export type Tenant =
  | { readonly kind: 'unit'; readonly name: string }
  /** @property id 64 digits, or of LXC a name */
  | { readonly kind: 'container'; readonly id: string }
  /** @property id of the container; undefined in none of its containers */
  | { readonly kind: 'pod'; readonly uid: string; readonly id: string | undefined };

export interface Found {
  readonly tenant: Tenant;
  /** What it made itself, under whatever names. */
  readonly inside: readonly string[];
}

/**
 * The outermost tenant on a path from the root of the hierarchy; undefined where there is none, or the path leads through a
 * directory that is not known to be in the hands of systemd, a runtime or the kubelet: then anybody may have made what is
 * below.
 *
 * Slices are theirs alone: systemd delegates services and scopes, never slices (systemd.resource-control(5), Delegate=).
 * Directories elsewhere count where a runtime puts them by default: docker and GitHub's and Azure's runners, containerd by
 * its namespaces, podman (libpod_parent), LXC (cgroup.dir.container), ECS, and kubelet's cgroupfs driver, with `/kubelet` as
 * the root in kind.
 */
export function findTenant(path: string): Found | undefined {
  const segments = path.split('/').flatMap(splitRuntimePath);
  // In a cgroup namespace the kernel shows `/../..` for an ancestor of the reader's own cgroup (kernfs_path_from_node()), which
  // no tenant can make: what is below stands beside directories of the same kind as the reader's.
  const at = segments.findIndex((segment) => segment !== '..');
  if (at > 0) return inSlice(segments.slice(at)) ?? besideReader(segments.slice(at));
  return inSlice(segments) ?? inRoot(segments);
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

/** From the root down a chain of slices, of any length. */
function inSlice(segments: readonly string[]): Found | undefined {
  // What is in a user's slice is that user's, whatever it is called.
  let isUsers = false;
  for (const [index, segment] of segments.entries()) {
    const inside = segments.slice(index + 1);
    const [, podUid] = isUsers ? [] : (POD_SLICE.exec(segment) ?? []);
    if (podUid !== undefined) return inPod(podUid.replaceAll('_', '-'), inside);
    if (!SLICE.test(segment)) return inService(segment, inside, isUsers);
    isUsers ||= /^user-\d+\.slice$/.test(segment);
  }
  return undefined;
}

function inService(segment: string, inside: readonly string[], isUsers: boolean): Found | undefined {
  const name = unitName(segment);
  if (name === undefined) return undefined;
  const unit: Found = { tenant: { kind: 'unit', name }, inside };
  if (isUsers) return unit;
  const [, id] = CONTAINER_SCOPE.exec(segment) ?? [];
  if (id !== undefined) return container(id, inside);
  return RUNTIME.test(name) ? (inSliceOfRuntime(inside) ?? inRoot(inside) ?? unit) : unit;
}

/** What a runtime makes below its own service, since its path does not begin with `/`. */
function inSliceOfRuntime(segments: readonly string[]): Found | undefined {
  const found = inSlice(segments);
  return found?.tenant.kind === 'unit' ? undefined : found;
}

/** Below the root itself, where only root makes directories. */
function inRoot([first = '', ...rest]: readonly string[]): Found | undefined {
  const [second = '', ...below] = rest;
  if (first === 'kubepods') return inKubepods(rest);
  if (first === 'kubelet') return second === 'kubepods' ? inKubepods(below) : undefined;
  if (/^(?:docker|actions_job|azpl_job|default|k8s\.io|moby)$/.test(first)) return containerAt(rest, ID);
  if (first === 'libpod_parent') return containerAt(rest, LIBPOD) ?? containerAt(below, LIBPOD);
  // /ecs/TASK/ID, earlier /ecs/CLUSTER/TASK/ID
  if (first === 'ecs') return containerAt(below, ID) ?? containerAt(below.slice(1), ID);
  if (first === 'lxc' || first === 'lxc.payload') return second === '' ? undefined : container(second, below);
  const [, payload] = /^lxc\.payload\.(.+)$/.exec(first) ?? [];
  if (payload !== undefined) return container(payload, rest);
  // WSL starts the systemd of each distribution here.
  if (first === 'wsl-user' && below[0] === 'systemd') return inSlice(below.slice(1));
  return containerAt([first, ...rest], ID) ?? containerAt([first, ...rest], LIBPOD);
}

/** The reader is in a pod or a container itself, so that its neighbours are. */
function besideReader(segments: readonly string[]): Found | undefined {
  return inKubepods(segments) ?? inRoot(segments);
}

/** `/kubepods/burstable/pod<uid>`, without the first. */
function inKubepods([first = '', ...rest]: readonly string[]): Found | undefined {
  if (first === 'burstable' || first === 'besteffort') return inKubepods(rest);
  const [, uid] = POD_DIRECTORY.exec(first) ?? [];
  return uid === undefined ? undefined : inPod(uid, rest);
}

function inPod(uid: string, segments: readonly string[]): Found {
  const [segment = '', ...inside] = segments;
  const [, prefix = '', id] = IN_POD.exec(segment) ?? [];
  const isContainer = id !== undefined && !prefix.includes('conmon');
  return { tenant: { kind: 'pod', uid, id: isContainer ? id : undefined }, inside };
}

function containerAt([first = '', ...inside]: readonly string[], pattern: RegExp): Found | undefined {
  const [, id] = pattern.exec(first) ?? [];
  return id === undefined ? undefined : container(id, inside);
}

function container(id: string, inside: readonly string[]): Found {
  return { tenant: { kind: 'container', id }, inside };
}

const SLICE = /^[\w:.\\@-]+\.slice$/;
/** systemd driver: `kubepods-burstable-pod<uid with _>.slice`, below a cgroup root `kubelet-kubepods-…` (kind). */
const POD_SLICE = /^(?:.+-)?kubepods(?:-[a-z]+)?-pod(\w{1,64})\.slice$/;
/** cgroupfs driver: `/kubepods/burstable/pod<uid>`. A static pod's uid is a hash without dashes. */
const POD_DIRECTORY = /^pod([\w-]{1,64})$/;
/** Alone (containerd with cgroupfs), `crio-<id>`, or a scope. cri-o's conmon is the monitor beside it. */
const IN_POD = /^([a-z][\w.-]*-)?([0-9a-f]{64})(?:\.scope)?$/;
const ID = /^([0-9a-f]{64})$/;
const LIBPOD = /^libpod-([0-9a-f]{64})$/;

/** `<prefix>-<id>.scope` of the runtimes; machined has `machine-<name>.scope`, whose name others choose. */
export const CONTAINER_SCOPE =
  /^(?:docker|containerd|cri-containerd|crio|libpod|nerdctl|isulad|runc|crun|runsc)-([0-9a-f]{64})\.scope$/;

/** Services of root that make containers' cgroups below their own. */
const RUNTIME =
  /^(?:containerd|docker|cri-docker|crio|kubelet|k3s|k3s-agent|rke2-server|rke2-agent|k0scontroller|k0sworker|snap\.(?:docker|microk8s)\.[\w-]+)\.service$/;

/**
 * The name of a unit that holds processes; undefined for any other directory. cg_escape() of systemd puts `_` before names
 * that could be the kernel's files, `_cpu.service`.
 */
export function unitName(segment: string): string | undefined {
  const isUnit = segment.length <= 256 && /^[\w:.\\@-]+\.(?:service|scope|socket|mount|swap)$/.test(segment);
  return isUnit ? segment.replace(/^_/, '') : undefined;
}

/**
 * Whether it is only root's programs that make cgroups in this directory, and not the tenant whose it is: slices but a user's,
 * and the runtimes' directories below the root.
 */
export function isCommonGround(path: string): boolean {
  return COMMON.test(path) && !/\/user-\d+\.slice(?:\/|$)/.test(path);
}

const COMMON =
  /^(?:(?:\/[\w:.\\@-]+\.slice)*|(?:\/kubelet)?\/kubepods(?:\/burstable|\/besteffort)?|\/(?:kubelet|docker|actions_job|azpl_job|default|k8s\.io|moby|libpod_parent|ecs|lxc|lxc\.payload))$/;
