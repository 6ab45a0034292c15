import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { describe, expect } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { environmentVariable, readFlags } from '../../src/cli/readFlags.ts';
import { itNeeding } from '../e2e/support/needs.ts';
import { KUBERNETES, type Manifests, missingKubectl, rendered, renderedByKind } from './support/manifests.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const MODELS = { Namespace, ServiceAccount, DaemonSet, PodMonitor, PrometheusRule };
/** Where the types of the manifests are declared. */
const TYPES: Readonly<Record<keyof Manifests, string>> = {
  Namespace: 'kubernetes-models/v1/Namespace',
  ServiceAccount: 'kubernetes-models/v1/ServiceAccount',
  DaemonSet: 'kubernetes-models/apps/v1/DaemonSet',
  PodMonitor: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor',
  PrometheusRule: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule',
};
const EXPORTER_KINDS = ['Namespace', 'ServiceAccount', 'DaemonSet'];

function pod() {
  const spec = renderedByKind(KUBERNETES).DaemonSet.spec?.template.spec;
  const container = spec?.containers?.[0];
  if (spec === undefined || container === undefined) throw new Error('no container');
  expect(spec.containers).toHaveLength(1);
  return { spec, container };
}

/** What tsc has against an object literal of this type: a field that the API does not know is an error there. */
function typeErrors(kind: keyof Manifests, manifest: unknown): string {
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-manifest-'));
  try {
    symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(directory, 'manifest.ts'),
      `import type { I${kind} } from '${TYPES[kind]}';\nexport const manifest: I${kind} = ${JSON.stringify(manifest)};\n`,
    );
    const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
    execFileSync(join(REPOSITORY, 'node_modules/.bin/tsc'), [...flags, 'manifest.ts'], {
      cwd: directory,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return '';
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The models for Node.js 20 are of before 2023, when the Prometheus Operator got `keep_firing_for` (0.66); promtool knows it. */
function withoutNewerFields<T>(manifest: T): T {
  return JSON.parse(
    JSON.stringify(manifest, (key, value: unknown) => (key === 'keep_firing_for' ? undefined : value)),
  ) as T;
}

describe('deploy/kubernetes', () => {
  itNeeding(missingKubectl, 'is rendered to one manifest of each kind, all in the namespace it makes', () => {
    const manifests = rendered(KUBERNETES) as {
      kind: string;
      metadata: { name: string; namespace?: string };
    }[];
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(MODELS).toSorted());
    for (const { kind, metadata } of manifests) {
      expect(metadata, kind).toMatchObject({
        name: 'port-exporter',
        ...(kind === 'Namespace' ? {} : { namespace: 'port-exporter' }),
      });
    }
  });

  itNeeding(missingKubectl, 'has a part that needs no Prometheus Operator', () => {
    const manifests = rendered(join(KUBERNETES, 'exporter'));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(EXPORTER_KINDS.toSorted());
    expect(manifests).toEqual(rendered(KUBERNETES).filter(({ kind }) => EXPORTER_KINDS.includes(kind)));
  });

  describe.each(Object.keys(MODELS) as (keyof Manifests)[])('%s', (kind) => {
    itNeeding(missingKubectl, 'is valid by its schema', () => {
      expect(() => new MODELS[kind](renderedByKind(KUBERNETES)[kind] as never).validate()).not.toThrow();
    });

    itNeeding(missingKubectl, 'has no field that the API does not know', () => {
      const manifest = withoutNewerFields(renderedByKind(KUBERNETES)[kind]);
      expect(typeErrors(kind, manifest)).toBe('');
      expect(typeErrors(kind, { ...manifest, metadata: { ...manifest.metadata, lables: {} } })).toMatch(
        /TS2353.*lables/,
      );
    });
  });

  itNeeding(missingKubectl, 'gives the container what it needs and nothing else', () => {
    const { spec, container } = pod();
    expect(container.securityContext).toMatchObject({
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['SYS_ADMIN', 'SYS_PTRACE'] },
    });
    expect(spec).toMatchObject({
      hostNetwork: true,
      hostPID: true,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(spec.hostIPC).toBeUndefined();
    for (const { readOnly } of container.volumeMounts ?? []) expect(readOnly).toBe(true);
    expect(spec.volumes?.map(({ hostPath }) => hostPath?.path)).toEqual(['/sys/fs/cgroup', '/proc']);
    expect(container.resources).toMatchObject({
      requests: { cpu: expect.any(String), memory: expect.any(String) },
      limits: { memory: expect.any(String) },
    });
    expect(renderedByKind(KUBERNETES).Namespace.metadata?.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'privileged',
    });
  });

  itNeeding(missingKubectl, 'runs on every node', () => {
    expect(pod().spec.tolerations).toEqual([{ operator: 'Exists' }]);
  });

  itNeeding(missingKubectl, 'sets nothing but flags that there are, to what they understand', () => {
    const { env = [] } = pod().container;
    const variables = Object.keys(OPTION_FLAGS).map(environmentVariable);
    const ours = env.filter(({ name }) => name.startsWith('PORT_EXPORTER_'));
    for (const { name } of ours) expect(variables).toContain(name);
    const set = Object.fromEntries(
      ours.map(({ name, value = '' }) => [name, value.replace('$(HOST_IP)', '192.0.2.1')]),
    );
    const values = readFlags(OPTION_FLAGS, {}, set);
    expect(values['web.listen-address']).toEqual([{ host: '192.0.2.1', port: 10069 }]);
    expect(values['path.sysfs']).toBe('/host/sys');
  });

  itNeeding(missingKubectl, 'names the port that is listened on, for probes and Prometheus', () => {
    const { container } = pod();
    expect(container.ports).toEqual([
      { name: 'metrics', containerPort: 10069, hostPort: 10069, protocol: 'TCP' },
    ]);
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      expect(probe?.httpGet?.port).toBe('metrics');
    }
    const { PodMonitor: monitor, DaemonSet: daemonSet } = renderedByKind(KUBERNETES);
    expect(monitor.spec?.podMetricsEndpoints).toMatchObject([{ port: 'metrics' }]);
    const labels = daemonSet.spec?.template.metadata?.labels;
    expect(labels).toMatchObject(monitor.spec?.selector.matchLabels ?? {});
    expect(labels).toMatchObject(daemonSet.spec?.selector.matchLabels ?? {});
  });

  itNeeding(missingKubectl, 'runs the image of this version, as deploy/container builds it', () => {
    const { image } = pod().container;
    expect(image).toBe(`port-exporter:${VERSION}`);
    const readme = readFileSync(join(REPOSITORY, 'deploy/container/README.md'), 'utf8');
    expect(readme).toContain(`--tag ${image}`);
    const named = [...readme.matchAll(/(?<=[ /])port-exporter:\d[\w.]*/g)].map(([name]) => name);
    expect(new Set(named)).toEqual(new Set([image]));
  });
});
