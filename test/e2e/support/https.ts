import { once } from 'node:events';
import { type Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { Answer } from './http.ts';

export interface Secured {
  /** Whom to believe, as PEM. */
  readonly ca: string;
  /** `user:password` */
  readonly auth?: string;
  readonly agent?: Agent;
  /** Whom the certificate must name; 127.0.0.1 without it. */
  readonly servername?: string;
}

/** Without an agent each request has a connection of its own. */
export async function getSecurely(port: number, path: string, how: Secured): Promise<Answer> {
  const { ca, auth = null, agent = false, servername } = how;
  const sent = request({ host: '127.0.0.1', port, path, ca, auth, agent, servername }).end();
  const [response] = await once(sent, 'response');
  const body = await buffer(response);
  return { status: response.statusCode, headers: response.headers, body, text: body.toString() };
}
