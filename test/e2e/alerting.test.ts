import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, vi } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive, describeOverBpf } from '../live/support/privilege.ts';
import { SERVER_PORT, untilRefused } from '../live/support/world.ts';
import { Alertmanager } from './support/alertmanager.ts';
import { deployed, fasterRoutes, fasterScrapes, RECENT_SECONDS, until } from './support/faster.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';
import { Prometheus } from './support/prometheus.ts';
import { Webhook } from './support/webhook.ts';

vi.setConfig({ testTimeout: 240_000 * SLOWNESS });
const REFUSED_PROGRAM = fileURLToPath(new URL('../live/support/refusing.mjs', import.meta.url));
const missing = missingTool('prometheus') ?? missingTool('prometheus-alertmanager');

describeLive('A real Prometheus and Alertmanager, with what is deployed but faster', () => {
  itNeeding(
    missing,
    'wake somebody when a namespace runs out of ports, and say when it is over',
    async () => {
      const namespace = new NamedNamespace({ range: [40000, 40049] });
      namespace.inside((world) => times(10, () => world.connect('127.0.0.2')));
      const daemon = await Daemon.started([
        ...['--sample.interval=1s', '--sample.max-duty=1', '--peak.window=2s'],
        // What is calculated alone: a refusal would say it first.
        ...[`--namespaces=${namespace.name}`, '--no-refusals'],
      ]);
      const webhook = await Webhook.started();
      const alertmanager = await Alertmanager.started(fasterRoutes(webhook.url));
      const prometheus = await Prometheus.started(fasterScrapes(daemon.port, [alertmanager.address]));

      const here = `netns="${namespace.name}"`;
      const samples = async (query: string) => {
        const { result } = await prometheus.ask<{ result: Sample[] }>(
          `query?query=${encodeURIComponent(query)}`,
        );
        return result;
      };
      const recorded = async () => {
        const [sample] = await samples(`netns:port_exhaustion_ratio:max{${here}}`);
        return Number(sample?.value[1]);
      };
      const exhausted = (alerts: readonly { labels: Readonly<Record<string, string>> }[]) =>
        alerts.filter(({ labels }) => labels['alertname'] === 'PortExhausted');

      // A fifth of the ports: the recorded ratio says so, and no alert does.
      await until(async () => expect(await recorded()).toBeCloseTo(0.2));
      expect(await samples(`ALERTS{${here}}`)).toEqual([]);

      const taken: number[] = [];
      const { error } = namespace.inside((world) =>
        untilRefused(() => taken.push(world.connect('127.0.0.2'))),
      );
      expect({ taken: taken.length, error }).toEqual({ taken: 40, error: 'EADDRNOTAVAIL' });

      await until(async () => expect(await recorded()).toBe(1));
      const labels = {
        alertname: 'PortExhausted',
        severity: 'critical',
        job: 'port-exporter',
        instance: `127.0.0.1:${daemon.port}`,
        netns: namespace.name,
        protocol: 'tcp',
        scope: 'connect',
      };
      await until(async () => {
        const alerts = await alertmanager.alerts();
        expect(exhausted(alerts).map((alert) => alert.labels)).toEqual([labels]);
        const states = alerts.map((alert) => [alert.labels['alertname'], alert.status.state]);
        expect(states).toEqual(
          expect.arrayContaining([
            ['PortExhausted', 'active'],
            ['PortConnectSlow', 'suppressed'],
          ]),
        );
      });
      const [alert] = exhausted(await alertmanager.alerts()) as Awaited<
        ReturnType<typeof alertmanager.alerts>
      >;
      expect(alert?.annotations['summary']).toContain('fails with EADDRNOTAVAIL');
      expect(alert?.annotations['description']).toMatch(
        /^No ephemeral port was left .* Now 0 more calls succeed\. Most are held by \S+: 50\.( Since 20\d\d-\d\d-\d\d \S+ \+0000 UTC\.)? The fullest destination is 127\.0\.0\.2 port 8001, from 127\.0\.0\.1\. Explain it there: port-exporter explain 127\.0\.0\.2:8001 --netns='\S+'$/,
      );
      expect(alert?.annotations['runbook_url']).toMatch(/runbooks\.md#portexhausted$/);
      await until(() =>
        expect(
          webhook.received.filter(({ path, alerts }) => path === '/on-call' && exhausted(alerts).length > 0),
        ).not.toEqual([]),
      );

      namespace.inside((world) => taken.forEach((fd) => void world.abort(fd)));
      await until(async () => expect(await recorded()).toBeCloseTo(0.2));
      await until(async () => {
        expect(await samples(`ALERTS{${here}}`)).toEqual([]);
        expect((await alertmanager.alerts()).filter((one) => one.labels['netns'] === namespace.name)).toEqual(
          [],
        );
        const said = webhook.received.flatMap(({ path, alerts }) =>
          path === '/on-call' ? exhausted(alerts) : [],
        );
        expect(said.at(-1)).toMatchObject({ status: 'resolved', labels });
      });

      // It fired without waiting.
      const range = await prometheus.ask<{ result: Range[] }>(
        `query?query=${encodeURIComponent(`ALERTS{${here},alertname="PortExhausted"}[10m]`)}`,
      );
      const timesOf = (state: string) =>
        range.result
          .filter(({ metric }) => metric['alertstate'] === state)
          .flatMap(({ values }) => values.map(([at]) => at));
      expect(timesOf('pending')).toEqual([]);
      expect(timesOf('firing').length).toBeGreaterThan(0);

      const { groups } = await prometheus.ask<{ groups: { rules: Rule[] }[] }>('rules');
      const unwell = groups.flatMap(({ rules }) => rules).filter(({ health }) => health !== 'ok');
      expect(unwell).toEqual([]);
      expect(webhook.received.filter((one) => JSON.stringify(one).includes('error expanding'))).toEqual([]);
    },
  );

  itNeeding(missing, 'tell that we have no port from that they are down', async () => {
    const world = newWorld({ range: [40_000, 40_199] });
    world.listen('127.0.0.2', 8001);
    const probeFile = join(newDirectory(), 'probes.yml');
    writeFileSync(
      probeFile,
      [
        '- {name: up, target: "tcp://127.0.0.2:8001", interval: 1s}',
        '- {name: up from elsewhere, target: "tcp://127.0.0.2:8001", interval: 1s, source: 127.0.0.9}',
        '- {name: down, target: "tcp://127.0.0.3:8001", interval: 1s}',
      ].join('\n'),
    );
    const daemon = await Daemon.started([
      ...['--sample.interval=1s', '--sample.max-duty=1', '--peak.window=2s'],
      `--probe.file=${probeFile}`,
    ]);
    const prometheus = await Prometheus.started(fasterScrapes(daemon.port));
    const firing = async () => {
      const { alerts } = await prometheus.ask<{ alerts: PrometheusAlert[] }>('alerts');
      return alerts.filter(({ state }) => state === 'firing');
    };
    const saysOf = async (name: RegExp) =>
      (await firing())
        .map(({ labels }) => `${labels['alertname']} ${labels['target'] ?? labels['protocol']}`)
        .filter((one) => name.test(one))
        .toSorted();
    const OF_BOTH_SIDES = /^PortProbe|^PortExhausted/;

    await until(async () => expect(await saysOf(OF_BOTH_SIDES)).toEqual(['PortProbeTargetDown down']));

    const held: number[] = [];
    await until(async () => {
      // Again, because a probe may have had the last port just then.
      untilRefused(() => held.push(world.connect('127.0.0.2')));
      expect(await saysOf(OF_BOTH_SIDES)).toEqual([
        'PortExhausted tcp',
        'PortProbeNoLocalPort up',
        'PortProbeTargetDown down',
      ]);
    });
    // Its other side is there for whoever has a port.
    expect((await daemon.get('/metrics')).text).toContain(
      '\nport_probe_success{target="up from elsewhere"} 1\n',
    );
    const [alert] = (await firing()).filter(({ labels }) => labels['alertname'] === 'PortProbeNoLocalPort');
    expect(alert?.labels).toEqual({
      alertname: 'PortProbeNoLocalPort',
      severity: 'critical',
      job: 'port-exporter',
      instance: `127.0.0.1:${daemon.port}`,
      target: 'up',
    });
    expect(alert?.annotations['description']).toMatch(
      /^connect\(\) from 127\.0\.0\.1:\d+ to up fails with EADDRNOTAVAIL: .* may be healthy\. Since 20.* \+0000 UTC\.$/,
    );

    held.forEach((fd) => void world.abort(fd));
    await until(async () => expect(await saysOf(OF_BOTH_SIDES)).toEqual(['PortProbeTargetDown down']));
    world.listen('127.0.0.3', 8001);
    await until(async () => expect(await saysOf(OF_BOTH_SIDES)).toEqual([]));

    // Never was anything else said to be down.
    const query = 'ALERTS{alertname="PortProbeTargetDown",alertstate="firing"}[10m]';
    const { result } = await prometheus.ask<{ result: Range[] }>(`query?query=${encodeURIComponent(query)}`);
    expect(new Set(result.map(({ metric }) => metric['target']))).toEqual(new Set(['down']));
  });
});

describeOverBpf('A real Prometheus and Alertmanager, with what is deployed but faster', () => {
  /** The exporter asks the kernel several times a second. */
  const EXPOSED_WITHIN_SECONDS = SLOWNESS;
  const INTERVAL_SECONDS = 2;
  const isAbout =
    (status: string) =>
    ({ path, alerts }: Webhook['received'][number]) =>
      path === '/on-call' &&
      alerts.some((one) => one.labels['alertname'] === 'PortRefused' && one.status === status);

  itNeeding(missing, 'wake somebody at the first refused call, and say when it is over', async () => {
    const namespace = new NamedNamespace({ range: [40000, 40003] });
    const taken: number[] = [];
    namespace.inside((world) => times(4, () => taken.push(world.connect('127.0.0.1'))));
    const daemon = await Daemon.started([
      ...['--sample.interval=1s', '--sample.max-duty=1', '--peak.window=2s'],
      `--namespaces=${namespace.name}`,
    ]);
    const webhook = await Webhook.started();
    const alertmanager = await Alertmanager.started(fasterRoutes(webhook.url));
    const prometheus = await Prometheus.started(
      fasterScrapes(daemon.port, [alertmanager.address], INTERVAL_SECONDS),
    );
    const here = `netns="${namespace.name}"`;
    const rangeOf = async (selector: string) => {
      const { result } = await prometheus.ask<{ result: Range[] }>(
        `query?query=${encodeURIComponent(`${selector}[10m]`)}`,
      );
      return result.flatMap(({ values }) => values);
    };
    const refusals = () => rangeOf(`port_refusals_total{${here},protocol="tcp",scope="connect"}`);
    const refused = async () =>
      (await alertmanager.alerts()).filter(({ labels }) => labels['alertname'] === 'PortRefused');

    // All ports are taken, which is calculated, and nobody was refused one, for longer than a refusal is recent.
    await until(async () => {
      const alerts = await alertmanager.alerts();
      const states = alerts.map((alert) => [alert.labels['alertname'], alert.status.state]);
      expect(states).toContainEqual(['PortExhausted', 'active']);
      expect((await refusals()).length).toBeGreaterThan(RECENT_SECONDS / INTERVAL_SECONDS + 1);
    });
    expect(new Set((await refusals()).map(([, count]) => count))).toEqual(new Set(['0']));
    expect(await refused()).toEqual([]);

    const program = namespace.inside(() =>
      spawn(process.execPath, [REFUSED_PROGRAM, '127.0.0.1', String(SERVER_PORT), '1']),
    );
    await once(program, 'close');
    const refusedAt = Date.now() / 1000;

    const labels = {
      alertname: 'PortRefused',
      severity: 'critical',
      job: 'port-exporter',
      instance: `127.0.0.1:${daemon.port}`,
      netns: namespace.name,
      protocol: 'tcp',
      scope: 'connect',
    };
    await until(async () => {
      expect(await refused()).toEqual([expect.objectContaining({ labels })]);
      const states = (await alertmanager.alerts()).map(({ labels, status }) => [
        labels['alertname'],
        status.state,
      ]);
      expect(states).toContainEqual(['PortRefused', 'active']);
      expect(states).toContainEqual(['PortExhausted', 'suppressed']);
    });
    const [alert] = await refused();
    expect(alert?.annotations['summary']).toBe(
      `TCP connect() failed with EADDRNOTAVAIL on ${labels.instance} (${labels.netns}): no ephemeral port was left`,
    );
    expect(alert?.annotations['description']).toMatch(
      /^The kernel refused TCP connect\(\) in network namespace .* Calls refused in the last 5 minutes: 1\. The owner refused most is \S+\. Now 0 more calls succeed\.( Since 20\d\d-\d\d-\d\d \S+ \+0000 UTC\.)? The destination refused most is 127\.0\.0\.1 port 8001, from 127\.0\.0\.1\. Follow the refused calls there \(port-exporter refusals --follow\), and explain them: port-exporter explain 127\.0\.0\.1:8001 --netns='\S+'$/,
    );
    expect(alert?.annotations['runbook_url']).toMatch(/runbooks\.md#portrefused$/);
    await until(() => expect(webhook.received.filter(isAbout('firing'))).not.toEqual([]));

    // The first scrape after the call has it, and the first evaluation after that scrape fires, without waiting.
    const firing = await rangeOf(`ALERTS{${here},alertname="PortRefused",alertstate="firing"}`);
    expect(await rangeOf(`ALERTS{${here},alertname="PortRefused",alertstate="pending"}`)).toEqual([]);
    const counted = await refusals();
    const seen = counted.findIndex(([, count]) => count === '1');
    const [scrapedAt = Number.NaN, firedAt = Number.NaN] = [counted[seen]?.[0], firing[0]?.[0]];
    expect(counted[seen - 1]?.[0]).toBeLessThan(refusedAt + EXPOSED_WITHIN_SECONDS);
    expect(firedAt - scrapedAt).toBeGreaterThanOrEqual(0);
    expect(firedAt - scrapedAt).toBeLessThan(INTERVAL_SECONDS + 0.1 * SLOWNESS);

    namespace.inside((world) => taken.forEach((fd) => void world.abort(fd)));
    await until(async () => {
      expect(await refused()).toEqual([]);
      expect(webhook.received.filter(isAbout('resolved'))).not.toEqual([]);
    });
  });
});

describe('Alertmanager, with what is deployed', () => {
  itNeeding(missingTool('prometheus-alertmanager'), 'says each thing once', async () => {
    const alertmanager = await Alertmanager.started(deployed('alertmanager.yml'));
    const of = (alertname: string, instance: string, more: Readonly<Record<string, string>> = {}) => ({
      ...{ alertname, instance, job: 'port-exporter' },
      ...more,
    });
    const tcp = { netns: 'host', protocol: 'tcp' };
    const udp = { netns: 'host', protocol: 'udp' };
    await alertmanager.fire(
      of('PortExhausted', 'full', tcp),
      of('PortProbeNoLocalPort', 'full', { target: 'gateway' }),
      of('PortProbeTargetDown', 'full', { target: 'db' }),
      // Elsewhere than where the probes are made.
      of('PortExhausted', 'pod', { ...tcp, netns: 'pod' }),
      of('PortProbeNoLocalPort', 'pod', { target: 'gateway' }),
      of('PortProbeNoLocalPort', 'alone', { target: 'gateway' }),
      of('PortUdpExhaustionImminent', 'udp', udp),
      of('PortCanaryRefused', 'udp', { ...udp, family: 'ipv4' }),
      of('PortCanaryRefused', 'udp', { ...tcp, family: 'ipv4' }),
      of('PortBindRunningOut', 'bind', tcp),
      of('PortCanaryRefused', 'bind', { ...tcp, family: 'ipv6' }),
      of('PortCanaryRefused', 'bind', { ...tcp, netns: 'pod', family: 'ipv6' }),
      // Of the same kind of call in the same namespace, and else.
      of('PortRefused', 'refused', { ...tcp, scope: 'connect' }),
      of('PortExhausted', 'refused', { ...tcp, scope: 'connect' }),
      of('PortExhaustionImminent', 'refused', { ...tcp, scope: 'connect' }),
      of('PortBindRunningOut', 'refused', { ...tcp, scope: 'bind' }),
      of('PortUdpExhaustionImminent', 'refused', { ...udp, scope: 'connect' }),
      of('PortExhausted', 'refused', { ...tcp, netns: 'pod', scope: 'connect' }),
      of('PortProbeNoLocalPort', 'refused', { target: 'gateway' }),
      of('PortRefused', 'refused bind', { ...tcp, scope: 'bind' }),
      of('PortBindRunningOut', 'refused bind', { ...tcp, scope: 'bind' }),
      of('PortProbeNoLocalPort', 'refused bind', { target: 'gateway' }),
      // Behind a NAT: what was dropped is a fact of all of the namespace, and a full table another one.
      of('PortSnatDropped', 'snat', { netns: 'host' }),
      of('PortSnatRefusing', 'snat', tcp),
      of('PortSnatRunningOut', 'snat', udp),
      of('PortSnatRefusing', 'snat', { ...tcp, netns: 'pod' }),
      of('PortSnatRunningOut', 'snat', { ...tcp, netns: 'pod' }),
      of('PortSnatRunningOut', 'snat', { ...udp, netns: 'pod' }),
      of('PortConntrackTableNearLimit', 'snat', { netns: 'host' }),
      of('PortConntrackTableFull', 'snat', { netns: 'full' }),
      of('PortConntrackTableNearLimit', 'snat', { netns: 'full' }),
      of('PortSnatRefusing', 'snat', { ...tcp, netns: 'full' }),
    );
    await until(async () => {
      const alerts = await alertmanager.alerts();
      expect(alerts).toHaveLength(32);
      const unsaid = alerts.filter(({ status }) => status.state === 'suppressed');
      const ids = unsaid.map(({ labels }) =>
        [labels['alertname'], labels['instance'], labels['netns'], labels['protocol']].join(' ').trim(),
      );
      expect(ids.toSorted()).toEqual([
        'PortBindRunningOut refused bind host tcp',
        'PortCanaryRefused bind host tcp',
        'PortCanaryRefused udp host udp',
        'PortConntrackTableNearLimit snat full',
        'PortExhausted refused host tcp',
        'PortExhaustionImminent refused host tcp',
        'PortProbeNoLocalPort full',
        'PortProbeNoLocalPort refused',
        'PortSnatRefusing snat host tcp',
        'PortSnatRunningOut snat host udp',
        'PortSnatRunningOut snat pod tcp',
      ]);
    });
  });
});

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since the epoch, and the value as a text. */
  readonly value: readonly [number, string];
}

interface Range {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

/** As the API of Prometheus has an alert. */
interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}
