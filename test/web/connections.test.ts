import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectSecurely } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NO_WEB_CONFIG, type WebConfig } from '../../src/web/config/webConfig.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Authority } from '../support/certificates.ts';
import { portOf, served } from './served.ts';

const missing = missingTool('openssl', 'version');
/** More than may be open. */
const FLOOD = 700;

function open(port: number, localAddress = '127.0.0.1'): Socket {
  const socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

async function flood(port: number, localAddress?: string): Promise<Socket[]> {
  const sockets = Array.from({ length: FLOOD }, () => open(port, localAddress));
  for (const socket of sockets) socket.resume();
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return sockets;
}

async function get(port: number, path: string, agent: Agent | false = false): Promise<string> {
  const sent = request({ host: '127.0.0.1', port, path, agent }).end();
  const [response] = await once(sent, 'response');
  return await text(response);
}

function tls(authority: Authority, more: Partial<NonNullable<WebConfig['tls']>> = {}): WebConfig {
  const { cert, key } = authority.issue('server');
  return {
    ...NO_WEB_CONFIG,
    tls: { options: { cert, key }, clientAuth: 'NoClientCert', allowedSans: undefined, ...more },
  };
}

describe('more idle connections than may be open', () => {
  it('keep nobody out who comes from the same address', async () => {
    const port = portOf(await served());
    await flood(port);
    for (const path of ['/-/healthy', '/metrics', '/']) expect(await get(port, path)).not.toBe('');
  });

  it('cost another address nothing, not even a connection that it keeps', async () => {
    const port = portOf(await served());
    const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: '127.0.0.2' });
    onTestFinished(() => agent.destroy());
    await get(port, '/metrics', agent);
    const [kept] = Object.values(agent.freeSockets).flat();
    await flood(port);
    expect(await get(port, '/-/healthy', agent)).toBe('healthy\n');
    expect(Object.values(agent.freeSockets).flat()).toEqual([kept]);
  });

  it('are counted over all listen addresses', async () => {
    const places = ['127.0.0.1', '127.0.0.1'].map((host) => ({ host, port: 0 }));
    const { addresses } = await served({}, places);
    const sockets = (await Promise.all(addresses.map(({ port }) => flood(port)))).flat();
    await expect
      .poll(() => sockets.filter(({ closed, readableEnded }) => closed || readableEnded).length)
      .toBe(2 * FLOOD - 512);
  });
});

describe('a connection that is ended within the TLS handshake', () => {
  itNeeding(missing, 'is closed at once', async () => {
    const config = tls(new Authority(newDirectory()));
    const port = portOf(await served({ config: () => config }));
    const startedAt = performance.now();
    for (const bytes of ['', '\x16\x03\x01']) {
      const socket = open(port);
      socket.end(bytes);
      expect(await text(socket)).toBe('');
    }
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('a connection under TLS', () => {
  itNeeding(missing, 'is not idle while a request is under way', async () => {
    const authority = new Authority(newDirectory());
    const config = tls(authority);
    let answer = (_: string) => {};
    let asked = () => {};
    const rendering = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const render = () => {
      asked();
      return new Promise<string>((resolve) => {
        answer = resolve;
      });
    };
    const port = portOf(await served({ config: () => config, render }));
    const socket = connectSecurely({ host: '127.0.0.1', port, ca: authority.cert });
    onTestFinished(() => void socket.destroy());
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await rendering;
    await flood(port);
    answer('late 1\n');
    expect(await text(socket)).toContain('late 1\n');
  });
});

describe('a connection with many requests at once', () => {
  it('is closed beyond eight of them', async () => {
    const port = portOf(await served({ render: () => new Promise(() => {}) }));
    const [few, many] = [open(port), open(port)];
    few.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(8));
    many.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(9));
    many.resume();
    await once(many, 'end');
    expect(few.readyState).toBe('open');
  });
});

describe('a defect met by a connection', () => {
  it('ends that connection alone', async () => {
    let broken = false;
    const config = () => {
      if (broken) throw new TypeError('defect');
      return NO_WEB_CONFIG;
    };
    const port = portOf(await served({ config }));
    broken = true;
    expect(await text(open(port)).catch(String)).not.toContain('HTTP');
    broken = false;
    expect(await get(port, '/-/healthy')).toBe('healthy\n');
  });

  itNeeding(missing, 'ends that connection alone, once it has shaken hands too', async () => {
    const authority = new Authority(newDirectory());
    const { cert, key } = authority.issue('client');
    let refused = 0;
    const allowedSans = new Proxy(['a'], {
      get() {
        refused++;
        throw new TypeError('defect');
      },
    });
    const config = tls(authority, { clientAuth: 'RequireAnyClientCert', allowedSans });
    Object.assign(config.tls?.options ?? {}, { requestCert: true, rejectUnauthorized: false });
    const port = portOf(await served({ config: () => config }));
    for (const connection of [1, 2]) {
      const socket = connectSecurely({ host: '127.0.0.1', port, ca: authority.cert, cert, key });
      socket.on('error', () => {});
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
      expect(refused).toBe(connection);
    }
  });
});
