import { vi } from 'vitest';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { listening } from './prometheus.ts';

/** As the API of Alertmanager (v2) has an alert. */
export interface ReceivedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly status: { readonly state: 'unprocessed' | 'active' | 'suppressed' };
}

/** Debian's Alertmanager, alone in its cluster, with its data in a directory of the test, and ended with it. */
export class Alertmanager {
  /** `127.0.0.1:9093` */
  readonly address: string;

  private constructor(address: string) {
    this.address = address;
  }

  /** @param config the text of its configuration file */
  static async started(config: string): Promise<Alertmanager> {
    return new Alertmanager(
      await listening('prometheus-alertmanager', config, '--storage.path=data', '--cluster.listen-address='),
    );
  }

  /** As Prometheus would: alerts with these labels are firing. It may still be starting. */
  async fire(...alerts: readonly Readonly<Record<string, string>>[]): Promise<void> {
    const send = () =>
      fetch(`http://${this.address}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(alerts.map((labels) => ({ labels }))),
      });
    const { ok, status } = await vi.waitFor(send, { timeout: 20_000 * SLOWNESS, interval: 100 });
    if (!ok) throw new Error(`Alertmanager says ${status}`);
  }

  /** Alerts that are firing, inhibited ones too. */
  async alerts(): Promise<ReceivedAlert[]> {
    const answer = await fetch(`http://${this.address}/api/v2/alerts`);
    return (await answer.json()) as ReceivedAlert[];
  }
}
