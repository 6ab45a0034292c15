import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { environmentVariable, readFlags } from '../../src/cli/readFlags.ts';
import { itNeeding } from '../e2e/support/needs.ts';
import { typeErrors, validate } from './support/api.ts';
import { KUBERNETES, missingKubectl, rendered, renderedByKind } from './support/manifests.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** What is rendered: one of each. */
const KINDS = [
  'Namespace',
  'ServiceAccount',
  'ConfigMap',
  'DaemonSet',
  'PodMonitor',
  'PrometheusRule',
] as const;
const EXPORTER_KINDS = ['Namespace', 'ServiceAccount', 'DaemonSet'];

function pod() {
  const spec = renderedByKind(KUBERNETES).DaemonSet.spec?.template.spec;
  const container = spec?.containers?.[0];
  if (spec === undefined || container === undefined) throw new Error('no container');
  expect(spec.containers).toHaveLength(1);
  return { spec, container };
}

describe('deploy/kubernetes', () => {
  itNeeding(missingKubectl, 'is rendered to one manifest of each kind, all in the namespace it makes', () => {
    const manifests = rendered(KUBERNETES) as {
      kind: string;
      metadata: { name: string; namespace?: string };
    }[];
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(KINDS.toSorted());
    for (const { kind, metadata } of manifests) {
      expect(metadata, kind).toMatchObject({
        name: kind === 'ConfigMap' ? 'port-exporter-dashboard' : 'port-exporter',
        ...(kind === 'Namespace' ? {} : { namespace: 'port-exporter' }),
      });
    }
  });

  itNeeding(missingKubectl, 'has a part that needs no Prometheus Operator', () => {
    const manifests = rendered(join(KUBERNETES, 'exporter'));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(EXPORTER_KINDS.toSorted());
    expect(manifests).toEqual(rendered(KUBERNETES).filter(({ kind }) => EXPORTER_KINDS.includes(kind)));
  });

  describe.each(KINDS)('%s', (kind) => {
    itNeeding(missingKubectl, 'is valid by its schema', () => {
      const manifest = renderedByKind(KUBERNETES)[kind] as { kind: typeof kind };
      expect(() => validate(manifest)).not.toThrow();
    });

    itNeeding(missingKubectl, 'has no field that the API does not know', () => {
      const manifest = renderedByKind(KUBERNETES)[kind] as { kind: typeof kind; metadata: object };
      expect(typeErrors(manifest)).toBe('');
      const misspelt = { ...manifest, metadata: { ...manifest.metadata, lables: {} } };
      expect(typeErrors(misspelt)).toMatch(/TS2353.*lables/);
    });
  });

  itNeeding(missingKubectl, "has the dashboard as the sidecar of Grafana's chart takes it, once", () => {
    const { ConfigMap } = renderedByKind(KUBERNETES);
    expect(ConfigMap.metadata?.labels).toMatchObject({ grafana_dashboard: '1' });
    const dashboard = readFileSync(join(REPOSITORY, 'deploy/grafana/port-exporter.json'), 'utf8');
    expect(ConfigMap.data).toEqual({ 'port-exporter.json': dashboard });
  });

  itNeeding(missingKubectl, 'has nothing that kubectl apply cannot note in an annotation', () => {
    for (const manifest of rendered(KUBERNETES)) {
      // k8s.io/apimachinery, validation.TotalAnnotationSizeLimitB: the whole manifest goes into last-applied-configuration.
      expect(Buffer.byteLength(JSON.stringify(manifest)), manifest.kind).toBeLessThan(256 * 1024 - 1024);
    }
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
