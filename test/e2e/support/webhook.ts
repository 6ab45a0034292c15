import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** What Alertmanager posts to a webhook. */
export interface Notification {
  /** Path of the URL that it was posted to. */
  readonly path: string;
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved';
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

/** Takes every notification, until the test ends. */
export class Webhook {
  /** In the order in which they came. */
  readonly received: Notification[] = [];
  readonly #server = createServer(async (request, response) => {
    const { alerts } = (await json(request)) as Notification;
    this.received.push({ path: request.url ?? '', alerts });
    response.end();
  });

  static async started(): Promise<Webhook> {
    const webhook = new Webhook();
    webhook.#server.listen(0, '127.0.0.1');
    await once(webhook.#server, 'listening');
    onTestFinished(() => {
      webhook.#server.closeAllConnections();
      webhook.#server.close();
    });
    return webhook;
  }

  /** `http://127.0.0.1:40000` */
  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }
}
