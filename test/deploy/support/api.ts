import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import type { Manifests } from './manifests.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const OPERATOR = '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
const MODELS = {
  ...{ Namespace, ServiceAccount, DaemonSet, ConfigMap, NetworkPolicy },
  ...{ PodMonitor, PrometheusRule },
};
/** Where the types of the manifests are declared. */
const TYPES: Readonly<Record<keyof Manifests, string>> = {
  Namespace: 'kubernetes-models/v1/Namespace',
  ServiceAccount: 'kubernetes-models/v1/ServiceAccount',
  ConfigMap: 'kubernetes-models/v1/ConfigMap',
  DaemonSet: 'kubernetes-models/apps/v1/DaemonSet',
  NetworkPolicy: 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy',
  PodMonitor: `${OPERATOR}/PodMonitor`,
  PrometheusRule: `${OPERATOR}/PrometheusRule`,
};

/** Throws where a manifest is not as the schema of its kind has it. */
export function validate(manifest: { readonly kind: keyof Manifests }): void {
  new MODELS[manifest.kind](manifest as never).validate();
}

/** The models for Node.js 20 are of before 2023, when the Prometheus Operator got `keep_firing_for` (0.66); promtool knows it. */
const NEWER_FIELDS = new Set(['keep_firing_for']);

/** What tsc has against object literals of these types: a field that the API does not know is an error there. */
export function typeErrors(...manifests: readonly { readonly kind: keyof Manifests }[]): string {
  const withoutNewer = (key: string, value: unknown) => (NEWER_FIELDS.has(key) ? undefined : value);
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-manifest-'));
  try {
    symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    const kinds = [...new Set(manifests.map(({ kind }) => kind))];
    const text = [
      ...kinds.map((kind) => `import type { I${kind} } from '${TYPES[kind]}';`),
      ...manifests.map(
        (one, at) => `export const m${at}: I${one.kind} = ${JSON.stringify(one, withoutNewer)};`,
      ),
    ];
    writeFileSync(join(directory, 'manifest.ts'), text.join('\n'));
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
