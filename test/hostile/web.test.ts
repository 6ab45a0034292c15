import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, get, type RequestOptions } from 'node:http';
import { get as getSecurely, Agent as SecureAgent } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { hashSync } from 'bcrypt';
import { describe, expect, onTestFinished, it as test } from 'vitest';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { missingWrk } from '../e2e/support/wrk.ts';
import { Authority } from '../support/certificates.ts';
import { ServerProcess } from './support/serverProcess.ts';

const NAMESPACES = 150;
/** Of each flood, at least. */
const SECONDS = Number(process.env['HOSTILE_SECONDS'] ?? 1);
const LEAST_SCRAPES = 30;
/** What a scrape may wait for, in time of the thread that answers: the exposition, made anew, is half of it. */
const MEDIAN_MS = 50;

const missing = (await missingWrk()) ?? missingTool('openssl', 'version');

interface Flood {
  readonly name: string;
  /** A Lua expression. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What wrk(1) runs for each request, before it. */
  readonly before?: string;
}

/** Runs Debian's wrk with 30 connections, behind who scrapes → ends it. */
function flood(
  scheme: string,
  port: number,
  { path, headers = {}, before = '' }: Flood,
): () => Promise<unknown> {
  const script = join(newDirectory(), 'flood.lua');
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`);
  writeFileSync(
    script,
    `${lines.join('\n')}\nfunction request() ${before} return wrk.format("GET", ${path}) end\n`,
  );
  const wrk = ['wrk', '-t1', '-c30', '-d1h', '-s', script, `${scheme}://127.0.0.1:${port}/`];
  const child = spawn('nice', ['-n', '10', ...wrk], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
}

/** Scrapes during a flood → milliseconds for which each waited, in time of the server's thread; sorted. */
async function scrapeDuring(
  server: ServerProcess,
  endFlood: () => Promise<unknown>,
  how: RequestOptions,
): Promise<number[]> {
  const waited: number[] = [];
  await sleep(300);
  const until = performance.now() + SECONDS * 1000;
  for (; performance.now() < until || waited.length < LEAST_SCRAPES; await sleep(5)) {
    const headers = { 'Accept-Encoding': 'gzip' };
    const options = { host: '127.0.0.1', port: server.port, path: '/metrics', headers, ...how };
    const cpuMs = server.cpuMs();
    const sent = how.agent instanceof SecureAgent ? getSecurely(options) : get(options);
    const [response] = await once(sent, 'response');
    await buffer(response);
    expect(response.statusCode).toBe(200);
    waited.push(Number(response.headers['x-cpu-ms']) - cpuMs);
  }
  await endFlood();
  return waited.toSorted((a, b) => a - b);
}

function expectQuick(name: string, waited: readonly number[]): void {
  const at = (share: number) => waited[Math.floor((waited.length - 1) * share)] ?? Number.NaN;
  console.log(
    `${name}: ${waited.length} scrapes, median ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms of CPU`,
  );
  expect(at(0.5), name).toBeLessThan(MEDIAN_MS);
}

describe('a scrape waits for nobody', () => {
  itNeeding(missing, 'while other routes are flooded', async () => {
    const server = await ServerProcess.started(NAMESPACES, 40);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const gzip = { 'Accept-Encoding': 'gzip' };
    const floods: Flood[] = [
      { name: '/', path: '"/"', headers: gzip },
      { name: '/?netns= of any', path: '"/?netns=" .. math.random(1e9)' },
      { name: '/?netns= of each', path: `"/?netns=netns-" .. math.random(0, ${NAMESPACES - 1})` },
      { name: '/readme', path: '"/readme"' },
      { name: 'nothing', path: '"/" .. math.random(1e9)' },
      { name: 'style', path: '"/-/page/style.css"', headers: gzip },
    ];
    expectQuick('nothing else', await scrapeDuring(server, async () => {}, { agent }));
    for (const one of floods) {
      expectQuick(one.name, await scrapeDuring(server, flood('http', server.port, one), { agent }));
    }
  });

  itNeeding(missing, 'with TLS and a password, while others have none or only connect', async () => {
    const directory = newDirectory();
    const authority = new Authority(directory);
    authority.issue('server');
    const file = join(directory, 'web.yml');
    writeFileSync(
      file,
      `tls_server_config: {cert_file: server.crt, key_file: server.key}\nbasic_auth_users: {a: ${hashSync('right', 10)}}\n`,
    );
    const server = await ServerProcess.started(NAMESPACES, 40, file);
    const agent = new SecureAgent({ keepAlive: true, maxSockets: 1, ca: authority.cert });
    onTestFinished(() => agent.destroy());
    const how = { agent, auth: 'a:right' };
    expectQuick('nothing else', await scrapeDuring(server, async () => {}, how));
    const wrong: Flood = {
      name: 'wrong passwords',
      path: '"/metrics"',
      // Two base64 digits of a password that is wrong.
      before: 'wrk.headers["Authorization"] = "Basic YTp" .. math.random(10, 99) .. math.random(1000, 9999)',
    };
    expectQuick(wrong.name, await scrapeDuring(server, flood('https', server.port, wrong), how));
    // Each scrape connects too. How long it takes says little: this process does both.
    const anew = { ...how, agent: new SecureAgent({ ca: authority.cert }) };
    const waited = await scrapeDuring(server, connectAndClose(server.port), anew);
    expect(waited.length).toBeGreaterThanOrEqual(LEAST_SCRAPES);
  });
});

/** About a thousand times a second, until it is ended. */
function connectAndClose(port: number): () => Promise<unknown> {
  let isOver = false;
  const one = async () => {
    while (!isOver) {
      const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
      await once(socket, 'connect').catch(() => {});
      socket.destroy();
      await sleep(10);
    }
  };
  const ended = Promise.all(Array.from({ length: 10 }, one));
  return async () => {
    isOver = true;
    await ended;
  };
}

describe('a thousand clients that do not read', () => {
  test('cost less than 200 MB, and keep no scrape out', async () => {
    const server = await ServerProcess.started(500, 0);
    // As Prometheus does.
    const headers = { 'Accept-Encoding': 'gzip' };
    const scrape = async () => {
      const sent = get({ host: '127.0.0.1', port: server.port, path: '/metrics', headers, agent: false });
      const [response] = await once(sent, 'response');
      return gunzipSync(await buffer(response)).length;
    };
    const bytes = await scrape();
    expect(bytes).toBeGreaterThan(4_000_000);
    const before = server.residentMb();
    let highest = before;
    for (let count = 0; count < 1_000; count++) {
      const socket = connect({ host: '127.0.0.1', port: server.port }).on('error', () => {});
      onTestFinished(() => void socket.destroy());
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
      await sleep(6);
      highest = Math.max(highest, server.residentMb());
    }
    console.log(`resident ${before.toFixed()} → ${highest.toFixed()} MB`);
    expect(await scrape()).toBeGreaterThan(bytes * 0.9);
    expect(highest - before).toBeLessThan(200);
  });
});
