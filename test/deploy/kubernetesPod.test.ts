import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { afterEach, beforeEach, expect } from 'vitest';
import { isFiltered } from '../../src/kernel/capabilities.ts';
import { itNeeding, missingNobody, NOBODY } from '../e2e/support/needs.ts';
import { descendantsOf } from '../e2e/support/processes.ts';
import type { Daemon } from '../e2e/support/program.ts';
import { newCgroups, UNIQUE } from '../live/support/cgroups.ts';
import { endHolder, namespaceInodeOf, newHolder } from '../live/support/holder.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeInCgroups } from '../live/support/privilege.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { KUBERNETES, missingKubectl, renderedByKind } from './support/manifests.ts';
import { missingRuntime, startPod } from './support/pod.ts';

const CONTAINER = 'ba5eba11'.repeat(8);
const POD = '5e0c1a70-6f2b-4d0e-9f3a-00000000cafe';
const POD_CGROUP = `${UNIQUE}.slice/kubepods-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope`;
/** Beside other tests, and without waiting. */
const HERE = {
  PORT_EXPORTER_WEB_LISTEN_ADDRESS: '127.0.0.1:0',
  PORT_EXPORTER_SAMPLE_INTERVAL: '100ms',
  PORT_EXPORTER_SAMPLE_MAX_DUTY: '1',
  PORT_EXPORTER_LISTENERS_LIMIT: '100000',
  PORT_EXPORTER_OWNERS_LIMIT: '100000',
  PORT_EXPORTER_PROCESSES_BUDGET: '5s',
};
const missing = missingKubectl ?? missingRuntime ?? missingNobody;
const LISTEN =
  "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";

const OPEN = `
  try { fs.openSync(process.argv[1], 'r+'); process.stdout.write('opened'); } catch (error) { process.stdout.write(error.code); }
`;

interface PodProcess {
  readonly pid: number;
  readonly capabilities: string;
  /** A seccomp profile is in force. */
  readonly isConfined: boolean;
}

/** The pod's process that serves, its launcher, and the sampler, with their effective capabilities. */
function processesOf({ child }: Daemon): PodProcess[] {
  return descendantsOf(child.pid)
    .filter((pid) => /\/(?:main|launcher|sampler)\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')))
    .map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const capabilities = /^CapEff:\t0*(\w+)$/m.exec(status)?.[1] ?? '';
      return { pid, capabilities, isConfined: isFiltered(status) };
    });
}

/** What a pod says of where it reads from: one line, without its time. */
function sourceLogged({ lines }: Daemon): string {
  const said = lines.filter((line) => /bpf|BPF|reading socket tables/.test(line));
  expect(said).toHaveLength(1);
  return said[0]?.replace(/^\S+ /, '') ?? '';
}

/** The namespaces in which a series of this name has this value. */
function namespacesWhere(series: readonly Series[], name: string, value: number): unknown[] {
  return series
    .filter((one) => one.name === name && one.value === value)
    .map(({ labels }) => labels['netns']);
}

/** A process in a namespace of its own, and one that listens in the node's; both in the cgroup of another pod. */
class Neighbours {
  #holder: ChildProcess | undefined;
  #server: ChildProcess | undefined;
  inode = 0;
  port = 0;

  async start(): Promise<void> {
    const enter = `echo $$ > ${newCgroups().make(POD_CGROUP)}/cgroup.procs && exec "$@"`;
    this.#holder = await newHolder(['sh', '-c', enter, 'sh', 'unshare', '--net', 'sleep', '1000']);
    this.inode = namespaceInodeOf(this.#holder.pid);
    // Not root from its first instruction: what only becomes somebody else leaves its /proc/<pid>/fd to root.
    const nobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath];
    const server = spawn('sh', ['-c', enter, 'sh', ...nobody, '-e', LISTEN], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#server = server;
    const [port] = await once(createInterface(server.stdout), 'line');
    this.port = Number(port);
  }

  async end(): Promise<void> {
    for (const child of [this.#holder, this.#server]) if (child !== undefined) await endHolder(child);
  }
}

interface View {
  readonly series: readonly Series[];
  /** Labels of their `port_namespace_info` and `port_listener_info`, where there are any. */
  readonly namespace: Series['labels'] | undefined;
  readonly listener: Series['labels'] | undefined;
}

/** What the pod says of them once it has taken a sample that knows their listener. */
async function view(pod: Daemon, { inode, port }: Neighbours): Promise<View> {
  for (const until = Date.now() + 20_000 * SLOWNESS; ; ) {
    const series = parseExposition((await pod.get('/metrics')).text);
    const labels = (name: string, label: string, value: number) =>
      series.find((one) => one.name === name && one.labels[label] === String(value))?.labels;
    const listener = labels('port_listener_info', 'port', port);
    if (listener !== undefined)
      return { series, listener, namespace: labels('port_namespace_info', 'inode', inode) };
    if (Date.now() > until) throw new Error(`no listener on ${port} after:\n${pod.lines.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function daemonSet(change: (container: Container) => void = () => {}): IDaemonSet {
  const { DaemonSet } = renderedByKind(KUBERNETES);
  const [container] = DaemonSet.spec?.template.spec?.containers ?? [];
  if (container === undefined) throw new Error('no container');
  change(container);
  return DaemonSet;
}

type Container = NonNullable<
  NonNullable<NonNullable<IDaemonSet['spec']>['template']['spec']>['containers'][number]
>;

function withoutCapability(...names: readonly string[]): IDaemonSet {
  return daemonSet(({ securityContext }) => {
    const { capabilities } = securityContext ?? {};
    const missing = names.find((name) => !capabilities?.add?.includes(name));
    if (missing !== undefined || !capabilities?.add)
      throw new Error(`${missing} is not there to be left out`);
    capabilities.add = capabilities.add.filter((other) => !names.includes(other));
  });
}

describeInCgroups("The DaemonSet's container, run by an OCI runtime on this machine as its node", () => {
  let neighbours: Neighbours;
  beforeEach(() => {
    neighbours = new Neighbours();
  });
  afterEach(() => neighbours.end());

  async function viewOf(manifest: IDaemonSet): Promise<View> {
    await neighbours.start();
    return view(await startPod(manifest, { env: HERE }), neighbours);
  }

  itNeeding(
    missing,
    'sees the namespaces of other pods, and their listeners with process, user and pod',
    async () => {
      const { namespace, listener, series } = await viewOf(daemonSet());
      expect(namespace).toMatchObject({
        netns: POD,
        pod_uid: POD,
        container: CONTAINER.slice(0, 12),
        process: 'sleep',
      });
      expect(listener).toMatchObject({
        netns: 'host',
        process: 'node',
        user: 'nobody',
        owner: `pod/${POD}/${CONTAINER.slice(0, 12)}`,
      });
      const ofPod = series.filter(({ labels }) => labels['netns'] === POD);
      expect(ofPod.map(({ name }) => name)).toContain('port_exhaustion_ratio');
      expect(ofPod.filter(({ name, value }) => name.endsWith('_sample_success') && value !== 1)).toEqual([]);
      expect(ofOwner(series)).not.toEqual([]);
    },
  );

  itNeeding(
    missing,
    "reads by BPF, confined as runtimes confine containers by default, in the node's namespace and in those of pods",
    async () => {
      await neighbours.start();
      const pod = await startPod(daemonSet(), { env: HERE });
      const { series } = await view(pod, neighbours);
      expect(processesOf(pod).map(({ isConfined }) => isConfined)).toEqual([true, true, true]);
      expect(sourceLogged(pod)).toBe(
        'level=info msg="reading socket tables" source=bpf bound_only_sockets=seen',
      );
      expect(sourceOf(series)).toEqual({ source: 'bpf' });
      const inDetail = namespacesWhere(series, 'port_exporter_sample_detail', 1);
      expect(inDetail).toEqual(expect.arrayContaining(['host', POD]));
      expect(namespacesWhere(series, 'port_exporter_sample_detail', 0)).toEqual([]);
      // What no other source knows: also of namespaces that no process is in.
      expect(series.map(({ name }) => name)).toContain('port_unlisted_namespace_connections');
    },
  );

  itNeeding(
    missing,
    "counts refused calls in the node's namespace and in those of pods, confined as it is",
    async () => {
      await neighbours.start();
      const pod = await startPod(daemonSet(), { env: HERE });
      await pod.logged(/msg="counting refused calls" calls="?tcp_connect/);
      const { series } = await view(pod, neighbours);
      const counted = namespacesWhere(series, 'port_refusals_total', 0);
      expect(counted).toEqual(expect.arrayContaining(['host', POD]));
    },
  );

  itNeeding(
    missing,
    "needs SYS_ADMIN for BPF: without it one line says so, and the node's namespace is read over netlink",
    async () => {
      await neighbours.start();
      const pod = await startPod(withoutCapability('SYS_ADMIN'), { env: HERE });
      const { series } = await view(pod, neighbours);
      expect(sourceLogged(pod)).toMatch(
        /^level=info msg="reading socket tables" source=netlink .*bpf_unavailable="needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN: bpf\(/,
      );
      expect(sourceOf(series)).toEqual({ source: 'netlink' });
      expect(namespacesWhere(series, 'port_exporter_sample_detail', 1)).toEqual(['host']);
    },
  );

  itNeeding(missing, 'needs SYS_ADMIN to enter namespaces', async () => {
    const { namespace, listener } = await viewOf(withoutCapability('SYS_ADMIN'));
    expect(namespace).toBeUndefined();
    expect(listener).toMatchObject({ process: 'node', user: 'nobody' });
  });

  itNeeding(missing, 'needs SYS_PTRACE to find them', async () => {
    const { namespace, listener } = await viewOf(withoutCapability('SYS_PTRACE'));
    expect(namespace).toBeUndefined();
    // The kernel tells it by BPF, of whatever user.
    expect(listener).toMatchObject({ process: 'node', user: 'nobody' });
  });

  itNeeding(missing, 'needs SYS_PTRACE for the names of processes too where BPF is refused', async () => {
    const { listener } = await viewOf(withoutCapability('SYS_PTRACE', 'SYS_ADMIN'));
    expect(listener).toMatchObject({ process: '', user: '' });
  });

  itNeeding(missing, 'needs uid 0: another one has none of the capabilities that are added', async () => {
    const { namespace, listener } = await viewOf(
      daemonSet(({ securityContext }) => Object.assign(securityContext ?? {}, { runAsUser: NOBODY })),
    );
    expect(namespace).toBeUndefined();
    expect(listener).toBeDefined();
  });

  itNeeding(missing, "needs the node's cgroups for the names of owners", async () => {
    const { series } = await viewOf(
      daemonSet((container) => {
        container.volumeMounts = [];
      }),
    );
    expect(ofOwner(series)).toEqual([]);
  });

  itNeeding(
    missing,
    'serves, as the manifest has it, what probes and Prometheus ask for where they ask',
    async () => {
      const { PodMonitor } = renderedByKind(KUBERNETES);
      const manifest = daemonSet();
      const [container] = manifest.spec?.template.spec?.containers ?? [];
      const port = container?.ports?.[0]?.containerPort;
      const namespace = new NamedNamespace();
      const inside = ['nsenter', `--net=${namespace.path}`];
      await startPod(manifest, { launcher: inside });
      const statusOf = async (path: string | undefined) => {
        const ask = 'fetch(process.argv[1]).then(({ status }) => console.log(status))';
        const url = `http://127.0.0.1:${port}${path}`;
        const [command = '', ...args] = [...inside, process.execPath, '-e', ask, url];
        return Number((await promisify(execFile)(command, args)).stdout);
      };
      const paths = [
        ...[container?.startupProbe, container?.livenessProbe, container?.readinessProbe].map(
          (p) => p?.httpGet?.path,
        ),
        ...(PodMonitor.spec?.podMetricsEndpoints ?? []).map(({ path }) => path),
      ];
      expect(paths).toEqual(['/-/healthy', '/-/healthy', '/-/ready', '/metrics']);
      for (const path of paths) expect(await statusOf(path), path).toBe(200);
      expect(await statusOf('/nothing')).toBe(404);
    },
  );

  itNeeding(missing, 'serves without any capability, and samples with those that are added', async () => {
    const pod = await startPod(daemonSet(), { env: HERE });
    const processes = processesOf(pod);
    const bits = processes.map(({ capabilities }) => capabilities);
    // SYS_PTRACE is 19, SYS_ADMIN 21 (linux/capability.h).
    expect(bits).toEqual(['0', '280000', '280000']);
  });

  itNeeding(missing, "cannot write the memory of the node's processes, nor its settings", async () => {
    const inside = (pid: number, path: string) =>
      spawnSync('nsenter', [`--mount=/proc/${pid}/ns/mnt`, '/nodejs/bin/node', '-e', OPEN, path], {
        encoding: 'utf8',
      }).stdout;
    const memory = `/proc/${process.pid}/mem`;
    const writable = daemonSet((container) => {
      container.volumeMounts = container.volumeMounts?.filter(({ name }) => name !== 'proc') ?? [];
    });
    for (const { pid } of processesOf(await startPod(writable, { env: HERE }))) {
      expect(inside(pid, memory)).toBe('opened');
    }
    for (const { pid } of processesOf(await startPod(daemonSet(), { env: HERE }))) {
      for (const path of [memory, '/proc/1/oom_score_adj', '/proc/sys/kernel/core_pattern']) {
        expect(inside(pid, path), path).toBe('EROFS');
      }
    }
  });

  itNeeding(missing, 'ends when it is told to', async () => {
    const pod = await startPod(daemonSet(), { env: HERE });
    const ended = await pod.end();
    expect(ended.code).toBe(0);
    expect(ended.tookMs).toBeLessThan(5000 * SLOWNESS);
  });
});

function sourceOf(series: readonly Series[]): Series['labels'] | undefined {
  return series.find(({ name }) => name === 'port_exporter_source_info')?.labels;
}

function ofOwner(series: readonly Series[]): Series[] {
  return series.filter(({ labels }) => labels['owner']?.startsWith(`pod/${POD}`));
}
