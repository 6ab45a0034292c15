import { readFileSync } from 'node:fs';
import { expect, onTestFinished, vi } from 'vitest';
import { fillConntrack, fillingRefusal } from '../live/support/fillConntrack.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { Nat, natRefusal } from '../live/support/nat.ts';
import { describeLive } from '../live/support/privilege.ts';
import { Alertmanager } from './support/alertmanager.ts';
import { fasterRoutes, fasterScrapes, until } from './support/faster.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { Daemon } from './support/program.ts';
import { Prometheus } from './support/prometheus.ts';
import { Webhook } from './support/webhook.ts';

vi.setConfig({ testTimeout: 240_000 * SLOWNESS });

describeLive('A real Prometheus and Alertmanager, behind a NAT', () => {
  const missing =
    missingTool('prometheus') ?? missingTool('prometheus-alertmanager') ?? natRefusal() ?? undefined;

  itNeeding(
    missing,
    'name the destination and the client when SNAT has no port left, until it has',
    async () => {
      const { nat, firing, everFired, saidOnCall } = await watchedNat();
      nat.connect('udp', 20);
      await until(async () =>
        expect(await firing('port_snat_exhaustion_ratio > 0.3 < 0.32')).toHaveLength(1),
      );
      expect(await firing('ALERTS')).toEqual([]);

      expect(nat.connect('udp', 60)).toBe(44);
      const [destination, natAddress, client] = [
        nat.addresses.server,
        nat.addresses.nat,
        nat.addresses.client,
      ];
      const where = `${destination} port 8053, from NAT address ${natAddress}`;
      await until(async () => {
        // Whoever retries is refused again: what was dropped is recent for some seconds only.
        expect(nat.connect('udp', 2)).toBe(0);
        const alerts = await saidOnCall('firing');
        expect(alerts.map(({ labels }) => labels['alertname'])).toContain('PortSnatDropped');
        const said = alerts.find(({ labels }) => labels['alertname'] === 'PortSnatDropped');
        expect(said?.annotations['description']).toMatch(
          new RegExp(
            `because SNAT found no free port for them: \\d+ in the last 5 minutes\\. .* The fullest destination is UDP ${where}: ` +
              `100% of its ports are taken, 0 are free\\. Most are held by client ${client}: 64\\..* ` +
              `port-exporter snat ${destination}:8053 --netns='${nat.router.name}'$`,
          ),
        );
      });
      await until(async () => {
        const [calculated] = await firing('ALERTS{alertname="PortSnatRefusing",alertstate="firing"}');
        expect(calculated).toMatchObject({ netns: nat.router.name, protocol: 'udp', severity: 'critical' });
      });

      nat.flush();
      await until(async () => {
        expect(await firing('ALERTS')).toEqual([]);
        const over = (await saidOnCall('resolved')).map(({ labels }) => labels['alertname']);
        expect(over).toContain('PortSnatDropped');
      });
      expect((await everFired()).toSorted()).toEqual([
        'PortSnatDropped',
        'PortSnatRefusing',
        'PortSnatRunningOut',
      ]);
    },
  );

  itNeeding(
    missing ?? fillingRefusal(),
    'tell a full table from a NAT without ports, until it is emptied',
    async () => {
      const { nat, firing, everFired, saidOnCall } = await watchedNat();
      nat.connect('udp', 20);
      await until(async () =>
        expect(await firing('port_snat_exhaustion_ratio > 0.3 < 0.32')).toHaveLength(1),
      );

      fillConntrack(nat.router);
      const limit = readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8').trim();
      await until(async () => {
        const [near] = await firing('ALERTS{alertname="PortConntrackTableNearLimit",alertstate="firing"}');
        expect(near).toMatchObject({ netns: nat.router.name, severity: 'warning' });
      });
      expect(await firing('ALERTS{alertname="PortConntrackTableFull"}')).toEqual([]);
      await until(async () => {
        expect(nat.connect('udp', 2)).toBe(0);
        const said = (await saidOnCall('firing')).find(
          ({ labels }) => labels['alertname'] === 'PortConntrackTableFull',
        );
        expect(said?.annotations['description']).toMatch(
          new RegExp(
            `because its table of tracked connections was full: \\d+ in the last 5 minutes\\. .* ` +
              `Now ${limit} connections are tracked, of ${limit} at most\\..* --netns='${nat.router.name}'$`,
          ),
        );
      });

      nat.flush();
      expect(nat.connect('udp', 2)).toBe(2);
      await until(async () => {
        expect(await firing('ALERTS')).toEqual([]);
        const over = (await saidOnCall('resolved')).map(({ labels }) => labels['alertname']);
        expect(over).toContain('PortConntrackTableFull');
      });
      expect((await everFired()).toSorted()).toEqual([
        'PortConntrackTableFull',
        'PortConntrackTableNearLimit',
      ]);
    },
  );
});

/** A NAT of 64 ports with the daemon, Prometheus and Alertmanager, which look at its router alone. */
async function watchedNat() {
  const nat = new Nat({ family: 'ipv4', first: 2000, last: 2063, flag: 'fully-random' });
  onTestFinished(() => nat.close());
  const daemon = await Daemon.started([
    ...['--sample.interval=1s', '--sample.max-duty=1', '--peak.window=2s'],
    ...[`--namespaces=${nat.router.name}`, '--snat.ports=2000-2063'],
  ]);
  const webhook = await Webhook.started();
  const alertmanager = await Alertmanager.started(fasterRoutes(webhook.url));
  const prometheus = await Prometheus.started(fasterScrapes(daemon.port, [alertmanager.address]));
  const asked = async (query: string) => {
    const { result } = await prometheus.ask<{ result: { metric: Readonly<Record<string, string>> }[] }>(
      `query?query=${encodeURIComponent(query)}`,
    );
    return result.map(({ metric }) => metric);
  };
  return {
    nat,
    /** Labels of what a query of its namespace gives. */
    async firing(query: string) {
      return (await asked(query)).filter(({ netns }) => netns === nat.router.name);
    },
    /** Names of alerts that fired at any time. */
    async everFired() {
      const series = await asked(
        `count by (alertname) (count_over_time(ALERTS{netns="${nat.router.name}",alertstate="firing"}[10m]))`,
      );
      return series.map(({ alertname }) => alertname);
    },
    /** What whoever is on call was told. */
    async saidOnCall(status: 'firing' | 'resolved') {
      return webhook.received
        .filter(({ path }) => path === '/on-call')
        .flatMap(({ alerts }) => alerts)
        .filter((one) => one.status === status);
    },
  };
}
