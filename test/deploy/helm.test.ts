import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { describe, expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { VERSION } from '../../src/base/version.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { typeErrors, validate } from './support/api.ts';
import {
  byKind,
  KUBERNETES,
  type Manifest,
  manifestsIn,
  missingKubectl,
  renderedByKind,
} from './support/manifests.ts';

const CHART = fileURLToPath(new URL('../../deploy/helm/port-exporter', import.meta.url));
const missing = missingTool('helm', 'version');
const EVERYTHING = {
  prometheus: { podMonitor: { enabled: true }, rules: { enabled: true } },
  dashboard: { enabled: true },
  networkPolicy: { enabled: true },
};

function helm(...args: readonly string[]): string {
  return execFileSync('helm', args, { encoding: 'utf8', stdio: 'pipe' });
}

/** What `helm install port-exporter` would send. Throws what helm has against the values. */
function template(values: object = {}, chart = CHART): Manifest[] {
  const file = join(newDirectory(), 'values.yaml');
  writeFileSync(file, stringify(values));
  const name = ['port-exporter', chart, '--namespace', 'port-exporter'];
  return manifestsIn(helm('template', ...name, '--values', file));
}

function containerOf({ spec }: IDaemonSet) {
  const [container] = spec?.template.spec?.containers ?? [];
  if (container === undefined) throw new Error('no container');
  return container;
}

/** Without what tells releases apart, and in one order. */
function pod({ spec }: IDaemonSet) {
  const { env = [], ...container } = containerOf({ spec } as IDaemonSet);
  const { updateStrategy, template } = spec ?? {};
  const sorted = env.toSorted((a, b) => a.name.localeCompare(b.name));
  const { annotations } = template?.metadata ?? {};
  return {
    updateStrategy,
    annotations,
    spec: { ...template?.spec, containers: [{ ...container, env: sorted }] },
  };
}

describe('deploy/helm', () => {
  itNeeding(missing, 'is a chart of this version that helm has nothing against', () => {
    expect(parse(helm('show', 'chart', CHART))).toMatchObject({ version: VERSION, appVersion: VERSION });
    expect(helm('lint', '--strict', CHART)).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  itNeeding(
    missing ?? missingKubectl,
    'installs, by default, what the kustomize base installs without Prometheus Operator',
    () => {
      const manifests = template();
      expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(['DaemonSet', 'ServiceAccount']);
      const base = renderedByKind(KUBERNETES);
      const { DaemonSet, ServiceAccount } = byKind(manifests);
      expect(pod(DaemonSet)).toEqual(pod(base.DaemonSet));
      const { automountServiceAccountToken } = base.ServiceAccount;
      expect(ServiceAccount).toMatchObject({
        automountServiceAccountToken,
        metadata: { name: base.DaemonSet.spec?.template.spec?.serviceAccountName },
      });
    },
  );

  itNeeding(
    missing ?? missingKubectl,
    'installs monitor, rules and dashboard as the kustomize base has them',
    () => {
      const chart = byKind(template(EVERYTHING));
      const base = renderedByKind(KUBERNETES);
      expect(chart.PrometheusRule.spec).toEqual(base.PrometheusRule.spec);
      expect(chart.ConfigMap.data).toEqual(base.ConfigMap.data);
      expect(chart.ConfigMap.metadata?.labels).toMatchObject({ grafana_dashboard: '1' });
      expect(chart.PodMonitor.spec?.jobLabel).toBe(base.PodMonitor.spec?.jobLabel);
      expect(chart.PodMonitor.spec?.podMetricsEndpoints).toEqual(
        base.PodMonitor.spec?.podMetricsEndpoints?.map((endpoint) => ({ ...endpoint, scheme: 'http' })),
      );
      const labels = chart.DaemonSet.spec?.template.metadata?.labels;
      for (const selected of [chart.PodMonitor.spec?.selector, chart.NetworkPolicy?.spec?.podSelector]) {
        expect(Object.keys(selected?.matchLabels ?? {})).toHaveLength(2);
        expect(labels).toMatchObject(selected?.matchLabels ?? {});
      }
    },
  );

  itNeeding(missing, 'makes valid objects, with no field that the API does not know', () => {
    const values = {
      ...EVERYTHING,
      ...{ releaseLabel: true, commonLabels: { team: 'net' }, podLabels: { a: 'b' } },
      ...{
        podAnnotations: { c: 'd' },
        daemonsetAnnotations: { e: 'f' },
        priorityClassName: 'system-node-critical',
      },
      imagePullSecrets: [{ name: 'registry' }],
      affinity: { nodeAffinity: {} },
      extraArgs: ['--sample.interval=10s'],
      env: { PORT_EXPORTER_LOG_LEVEL: 'debug' },
      secrets: [{ name: 'web', mountPath: '/etc/port-exporter/web' }],
      configmaps: [{ name: 'probes', mountPath: '/etc/port-exporter/probes' }],
      extraHostVolumeMounts: [{ name: 'netns', hostPath: '/run/netns', mountPath: '/run/netns' }],
      serviceAccount: { annotations: { g: 'h' }, imagePullSecrets: [{ name: 'registry' }] },
    };
    const manifests = template(values);
    expect(manifests).toHaveLength(6);
    for (const manifest of manifests) expect(() => validate(manifest), manifest.kind).not.toThrow();
    expect(typeErrors(...manifests)).toBe('');
    const { volumes, containers } = byKind(manifests).DaemonSet.spec?.template.spec ?? {};
    const mounts = containers?.[0]?.volumeMounts ?? [];
    expect(mounts.map(({ name }) => name).toSorted()).toEqual(volumes?.map(({ name }) => name).toSorted());
    for (const { readOnly } of mounts) expect(readOnly).toBe(true);
    for (const { metadata } of manifests) {
      expect(metadata).toMatchObject({ labels: { team: 'net', release: 'port-exporter' } });
    }
  });

  itNeeding(
    missing,
    'gives the capability for ports behind a NAT where it is asked for, and no other',
    () => {
      const { securityContext } = containerOf(byKind(template({ snat: { enabled: true } })).DaemonSet);
      expect(securityContext?.capabilities).toEqual({
        drop: ['ALL'],
        add: ['SYS_ADMIN', 'SYS_PTRACE', 'NET_ADMIN'],
      });
    },
  );

  itNeeding(missing, 'serves with TLS by the values that people know', () => {
    const get = {
      httpGet: { scheme: 'https', httpHeaders: [{ name: 'Authorization', value: 'Basic eDp5' }] },
    };
    const manifests = byKind(
      template({
        secrets: [{ name: 'port-exporter-web', mountPath: '/etc/port-exporter/web' }],
        extraArgs: ['--web.config.file=/etc/port-exporter/web/web.yml'],
        ...{ startupProbe: get, livenessProbe: get, readinessProbe: get },
        prometheus: {
          podMonitor: { enabled: true, scheme: 'https', tlsConfig: { serverName: 'port-exporter' } },
        },
      }),
    );
    const container = containerOf(manifests.DaemonSet);
    expect(container.args).toEqual(['--web.config.file=/etc/port-exporter/web/web.yml']);
    const { startupProbe, livenessProbe, readinessProbe } = container;
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      expect(probe?.httpGet).toEqual({
        ...{ path: expect.stringMatching(/^\/-\//), port: 'metrics', scheme: 'HTTPS' },
        httpHeaders: get.httpGet.httpHeaders,
      });
    }
    expect(livenessProbe?.failureThreshold).toBe(6);
    expect(manifests.PodMonitor.spec?.podMetricsEndpoints).toMatchObject([
      { scheme: 'https', tlsConfig: { serverName: 'port-exporter' } },
    ]);
  });

  itNeeding(missing, 'takes image, names and port', () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const imageOf = (image: object) => containerOf(byKind(template({ image })).DaemonSet).image;
    expect(imageOf({ registry: 'registry.example.com', repository: 'x/y', tag: '1' })).toBe(
      'registry.example.com/x/y:1',
    );
    expect(imageOf({ registry: 'registry.example.com', digest })).toBe(
      `registry.example.com/port-exporter@${digest}`,
    );
    const named = { fullnameOverride: 'ports', namespaceOverride: 'elsewhere', service: { port: 9999 } };
    const manifests = template({ ...EVERYTHING, ...named });
    for (const { metadata } of manifests) {
      expect(metadata).toMatchObject({
        name: expect.stringMatching(/^ports(-dashboard)?$/),
        namespace: 'elsewhere',
      });
    }
    const { DaemonSet, NetworkPolicy } = byKind(manifests);
    expect(containerOf(DaemonSet)).toMatchObject({ ports: [{ containerPort: 9999, hostPort: 9999 }] });
    expect(containerOf(DaemonSet).env).toContainEqual({
      ...{ name: 'PORT_EXPORTER_WEB_LISTEN_ADDRESS', value: '$(HOST_IP):9999' },
    });
    expect(NetworkPolicy?.spec?.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 9999 }] }]);
  });

  itNeeding(missing, 'names a value that it does not know', () => {
    expect(() => template({ prometheus: { podMonitors: { enabled: true } } })).toThrow(/podMonitors/);
    expect(() => template({ tolerations: 'all' })).toThrow(/tolerations/);
  });

  itNeeding(missing, 'is packaged whole: the files of other folders are in it', () => {
    const directory = newDirectory();
    helm('package', CHART, '--destination', directory);
    expect(template(EVERYTHING, join(directory, `port-exporter-${VERSION}.tgz`))).toEqual(
      template(EVERYTHING),
    );
  });
});
