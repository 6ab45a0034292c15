import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect } from 'vitest';
import { stringify } from 'yaml';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { environmentVariable, readFlags } from '../../src/cli/readFlags.ts';
import { getSecurely } from '../e2e/support/https.ts';
import { itNeeding } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { Authority } from '../support/certificates.ts';
import { parseExposition } from '../support/exposition.ts';
import { typeErrors, validate } from './support/api.ts';
import { KUBERNETES, type Manifests, missingKubectl, rendered, renderedByKind } from './support/manifests.ts';
import { missingRuntime, startPod } from './support/pod.ts';

const COMPONENTS = ['web-config', 'probes', 'snat', 'network-policy'] as const;
const HERE = {
  PORT_EXPORTER_WEB_LISTEN_ADDRESS: '127.0.0.1:0',
  PORT_EXPORTER_SAMPLE_INTERVAL: '100ms',
  PORT_EXPORTER_SAMPLE_MAX_DUTY: '1',
};

/** As a user's overlay has it, beside this checkout. */
function overlay(components: readonly string[], base = KUBERNETES): string {
  const directory = newDirectory();
  const from = (path: string) => relative(directory, path);
  const kustomization = {
    resources: [from(base)],
    components: components.map((name) => from(join(KUBERNETES, 'components', name))),
  };
  writeFileSync(join(directory, 'kustomization.yaml'), stringify(kustomization));
  return directory;
}

function containerOf({ DaemonSet }: Manifests) {
  const [container] = DaemonSet.spec?.template.spec?.containers ?? [];
  if (container === undefined) throw new Error('no container');
  return container;
}

describe('the components of deploy/kubernetes', () => {
  itNeeding(
    missingKubectl,
    'are each and together valid, and know no field that the API does not know',
    () => {
      for (const components of [...COMPONENTS.map((name) => [name]), COMPONENTS]) {
        for (const manifest of rendered(overlay(components))) expect(() => validate(manifest)).not.toThrow();
      }
      const changed = rendered(overlay(COMPONENTS)).filter(({ kind }) =>
        ['DaemonSet', 'PodMonitor', 'NetworkPolicy'].includes(kind),
      );
      expect(changed).toHaveLength(3);
      expect(typeErrors(...changed)).toBe('');
    },
  );

  itNeeding(missingKubectl, 'also go with the part that needs no Prometheus Operator', () => {
    const kinds = rendered(overlay(COMPONENTS, join(KUBERNETES, 'exporter'))).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['DaemonSet', 'Namespace', 'NetworkPolicy', 'ServiceAccount']);
  });

  itNeeding(missingKubectl, 'set flags that there are, to files in what they mount', () => {
    const container = containerOf(renderedByKind(overlay(COMPONENTS)));
    const set = Object.fromEntries((container.env ?? []).map(({ name, value = '' }) => [name, value]));
    const ours = Object.keys(set).filter((name) => name.startsWith('PORT_EXPORTER_'));
    const known = Object.keys(OPTION_FLAGS).map(environmentVariable);
    expect(ours.filter((name) => !known.includes(name))).toEqual([]);
    const values = readFlags(OPTION_FLAGS, {}, { ...set, PORT_EXPORTER_WEB_LISTEN_ADDRESS: ':1' });
    const mounts = container.volumeMounts ?? [];
    for (const file of [values['web.config.file'], values['probe.file']]) {
      expect(mounts.filter(({ mountPath }) => file?.startsWith(`${mountPath}/`))).toMatchObject([
        { readOnly: true },
      ]);
    }
  });

  itNeeding(missingKubectl, 'snat adds NET_ADMIN, and nothing else', () => {
    const [base, changed] = [rendered(KUBERNETES), rendered(overlay(['snat']))];
    const container = containerOf(Object.fromEntries(base.map((one) => [one.kind, one])) as never);
    expect(container.securityContext?.capabilities?.add).toEqual(['SYS_ADMIN', 'SYS_PTRACE']);
    container.securityContext?.capabilities?.add?.push('NET_ADMIN');
    expect(changed).toEqual(base);
  });

  itNeeding(missingKubectl, 'network-policy lets Prometheus in to the one port, and nobody else', () => {
    const { NetworkPolicy, DaemonSet } = renderedByKind(overlay(['network-policy']));
    expect(NetworkPolicy?.metadata?.namespace).toBe(DaemonSet.metadata?.namespace);
    expect(DaemonSet.spec?.template.metadata?.labels).toMatchObject(
      NetworkPolicy?.spec?.podSelector?.matchLabels ?? { no: 'label' },
    );
    const port = containerOf(renderedByKind(KUBERNETES)).ports?.[0]?.containerPort;
    expect(NetworkPolicy?.spec?.policyTypes).toEqual(['Ingress']);
    expect(NetworkPolicy?.spec?.ingress).toMatchObject([{ ports: [{ protocol: 'TCP', port }] }]);
    expect(NetworkPolicy?.spec?.ingress?.[0]?.from).toHaveLength(1);
  });

  itNeeding(
    missingKubectl,
    'are used as the README has it, with passwords for kubelet and Prometheus',
    () => {
      const directory = newDirectory();
      const readme = readFileSync(join(KUBERNETES, 'README.md'), 'utf8');
      const blocks = [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = '']) => yaml);
      expect(blocks).toHaveLength(3);
      const text = blocks
        .join('')
        .replaceAll('port-exporter/deploy/kubernetes', relative(directory, KUBERNETES));
      writeFileSync(join(directory, 'kustomization.yaml'), text);
      for (const name of ['web.yml', 'tls.crt', 'tls.key', 'ca.crt', 'probes.yml']) {
        writeFileSync(join(directory, name), 'x\n');
      }
      const manifests = renderedByKind(directory);
      expect(() => validate(manifests.DaemonSet as never)).not.toThrow();
      expect(() => validate(manifests.PodMonitor as never)).not.toThrow();
      const { image, startupProbe, livenessProbe, readinessProbe } = containerOf(manifests);
      expect(image).toMatch(/^registry\.example\.com\/port-exporter:/);
      const encoded = Buffer.from('kubelet:PASSWORD').toString('base64');
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        expect(probe?.httpGet?.httpHeaders).toEqual([{ name: 'Authorization', value: `Basic ${encoded}` }]);
      }
      expect(manifests.PodMonitor.spec?.podMetricsEndpoints).toMatchObject([
        { basicAuth: { username: { key: 'username' } }, tlsConfig: {} },
      ]);
      // As the PodMonitor and the DaemonSet name them.
      const names = rendered(directory).map(({ kind, metadata }) => [kind, metadata?.name]);
      expect(names).toEqual(
        expect.arrayContaining([
          ['Secret', 'port-exporter-web'],
          ['ConfigMap', 'port-exporter-probes'],
        ]),
      );
    },
  );

  itNeeding(
    missingKubectl ?? missingRuntime,
    'web-config and probes: the pod serves what the Secret says, to who asks as kubelet and Prometheus are told, and probes what the ConfigMap says',
    async () => {
      const [secret, configMap] = [newDirectory(), newDirectory()];
      const authority = new Authority(secret);
      authority.issue('tls', ['DNS:port-exporter']);
      const web = 'tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n';
      writeFileSync(join(secret, 'web.yml'), web);
      writeFileSync(
        join(configMap, 'probes.yml'),
        '- {name: nobody, target: "tcp://127.0.0.1:9", interval: 1s}\n',
      );
      const manifests = renderedByKind(overlay(['web-config', 'probes']));
      const objects = { 'port-exporter-web': secret, 'port-exporter-probes': configMap };
      const pod = await startPod(manifests.DaemonSet, { env: HERE, objects });
      const [, port] = pod.lines.join('\n').match(/msg=listening addresses=127\.0\.0\.1:(\d+)/) ?? [];

      const container = containerOf(manifests);
      for (const { httpGet } of [
        container.startupProbe,
        container.livenessProbe,
        container.readinessProbe,
      ].map((probe) => ({ httpGet: probe?.httpGet }))) {
        expect(httpGet?.scheme).toBe('HTTPS');
      }
      const [endpoint] = manifests.PodMonitor.spec?.podMetricsEndpoints ?? [];
      expect(endpoint).toMatchObject({
        scheme: 'https',
        tlsConfig: { ca: { secret: { name: 'port-exporter-web', key: 'ca.crt' } } },
      });
      const servername = endpoint?.tlsConfig?.serverName ?? '';
      const ask = (path: string, name = servername) =>
        getSecurely(Number(port), path, { ca: authority.cert, servername: name });
      expect((await ask('/-/ready')).status).toBe(200);
      await expect(ask('/-/ready', 'localhost')).rejects.toThrow(/localhost/);
      await expect(fetch(`http://127.0.0.1:${port}/-/ready`)).rejects.toThrow();
      for (const until = Date.now() + 20_000 * SLOWNESS; ; ) {
        const series = parseExposition((await ask('/metrics')).text);
        const success = series.find(({ name }) => name === 'port_probe_success');
        if (success?.value === 0) {
          expect(success.labels['target']).toBe('nobody');
          break;
        }
        expect(Date.now(), 'no probe').toBeLessThan(until);
      }
    },
  );
});
