/**
 * Answers scrapes as a fleet would: `GET /host/N`. Each host answers what a real one of its kind answered once, with values that
 * move on: counters grow, levels wander, labels stay. On stdin: the captures, as JSON; on stdout: the port, once it listens.
 *
 *   node --import tsx simulator.ts HOSTS < captures.json
 */
import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { type Capture, kindOf } from './kinds.ts';

const hosts = Number(process.argv[2]);
const captures = JSON.parse(await textOf(process.stdin)) as Capture[];

/** What stands between values, and how each value moves. */
interface Template {
  readonly texts: readonly string[];
  readonly values: readonly number[];
  readonly moves: readonly Move[];
}

type Move = 'stays' | 'grows' | 'wanders' | 'is the time';

/** Levels that change from sample to sample on a host that works. All other gauges are settings, limits, or facts. */
const WANDERING =
  /_(used_ports|available_ports|reclaimable_ports|ephemeral_ports|client_ports|capacity_ports|ratio|entries|sockets|queue|connections|duration_seconds|age_seconds|destinations|local_addresses|resident_memory_bytes|virtual_memory_bytes|open_fds)$|^port_sockets$|^nodejs_(eventloop|heap|external|active)|^process_(resident|virtual|heap|open)/;

const templates = new Map(captures.map((capture) => [capture.kind, templateOf(capture)]));
const states = new Map<number, Float64Array>();

const server = createServer((request, response) => {
  const host = Number(/^\/host\/(\d+)$/.exec(request.url ?? '')?.[1] ?? Number.NaN);
  if (!(host >= 0 && host < hosts)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  response.end(exposition(host));
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(address.port);
});

function exposition(host: number): string {
  const template = templates.get(kindOf(host));
  if (template === undefined) throw new Error(`no capture of ${kindOf(host)}`);
  const { texts, moves } = template;
  let state = states.get(host);
  if (state === undefined) {
    state = Float64Array.from(template.values);
    states.set(host, state);
  }
  let answer = texts[0] ?? '';
  for (let nth = 0; nth < state.length; nth++) {
    const value = moved(state[nth] ?? 0, moves[nth] ?? 'stays');
    state[nth] = value;
    answer += Number.isFinite(value) ? value : spelled(value);
    answer += texts[nth + 1];
  }
  return answer;
}

function moved(value: number, move: Move): number {
  if (move === 'stays') return value;
  if (move === 'is the time') return Math.round(Date.now()) / 1000;
  const chance = Math.random();
  if (move === 'grows') {
    // What counts nothing yet is mostly refusals and other bad news.
    if (value === 0) return value;
    return Number.isInteger(value) ? value + Math.floor(chance * 20) : round(value + chance * 0.2);
  }
  if (value === 0 || chance < 0.4) return value;
  if (value <= 1) return round(Math.min(1, value * (0.9 + chance * 0.2)));
  return Number.isInteger(value)
    ? Math.max(1, Math.round(value * (0.98 + chance * 0.04)))
    : round(value * (0.98 + chance * 0.04));
}

function round(value: number): number {
  return Number(value.toPrecision(7));
}

function spelled(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function templateOf({ text }: Capture): Template {
  const texts: string[] = [''];
  const values: number[] = [];
  const moves: Move[] = [];
  let type = '';
  for (const line of text.split('\n')) {
    const [, ofType] = /^# TYPE \S+ (\w+)$/.exec(line) ?? [];
    if (ofType !== undefined) type = ofType;
    if (line === '' || line.startsWith('#')) {
      texts[texts.length - 1] += `${line}\n`;
      continue;
    }
    const end = line.lastIndexOf(' ');
    const name = /^[\w:]+/.exec(line)?.[0] ?? '';
    texts[texts.length - 1] += line.slice(0, end + 1);
    values.push(numberOf(line.slice(end + 1)));
    moves.push(moveOf(name, type));
    texts.push('\n');
  }
  return { texts, values, moves };
}

function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

function moveOf(name: string, type: string): Move {
  if (/^port_(exporter_sample|probe)_timestamp_seconds$/.test(name)) return 'is the time';
  if (type === 'counter' || type === 'histogram') return 'grows';
  return WANDERING.test(name) ? 'wanders' : 'stays';
}
