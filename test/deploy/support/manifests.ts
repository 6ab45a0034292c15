import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { IPodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import type { IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { INamespace } from 'kubernetes-models/v1/Namespace';
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { parseAllDocuments } from 'yaml';

export const KUBERNETES = fileURLToPath(new URL('../../../deploy/kubernetes', import.meta.url));

/** By their `kind`. */
export interface Manifests {
  readonly Namespace: INamespace;
  readonly ServiceAccount: IServiceAccount;
  readonly DaemonSet: IDaemonSet;
  readonly PodMonitor: IPodMonitor;
  readonly PrometheusRule: IPrometheusRule;
  readonly ConfigMap: IConfigMap;
  readonly NetworkPolicy?: INetworkPolicy;
}

export interface Manifest {
  readonly kind: keyof Manifests;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

/** What `kubectl apply -k` of this directory would send, in its order. */
export function rendered(directory: string): Manifest[] {
  return manifestsIn(execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8' }));
}

/** Of a stream of YAML documents, as kubectl and helm print it. */
export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter((manifest) => manifest !== null);
}

/** One of each kind. */
export function renderedByKind(directory: string): Manifests {
  return byKind(rendered(directory));
}

export function byKind(manifests: readonly Manifest[]): Manifests {
  return Object.fromEntries(manifests.map((manifest) => [manifest.kind, manifest])) as never;
}

/** Why nothing can be rendered here. */
export const missingKubectl = tryKubectl();

function tryKubectl(): string | undefined {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return String(error);
  }
}
