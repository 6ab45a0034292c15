import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newDirectory } from './procfs.ts';

/** What wrk saw. */
export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** How many answers had each status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'timeout', number>>;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** Why there is no wrk here. It knows no `--version`, and ends with 1 after `-v`. */
export async function missingWrk(): Promise<string | undefined> {
  const { code } = await promisify(execFile)('wrk', ['-v']).catch((error) => error);
  return code === 'ENOENT' ? 'wrk is not installed' : undefined;
}

export interface Pressure {
  readonly seconds: number;
  readonly connections: number;
  /** Milliseconds each connection waits between an answer and its next request. */
  readonly pauseMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Runs Debian's wrk with one thread. */
export async function load(
  url: string,
  { seconds, connections, pauseMs, headers = {} }: Pressure,
): Promise<Load> {
  const script = join(newDirectory(), 'load.lua');
  writeFileSync(script, scriptOf(pauseMs, headers));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url];
  const { stdout } = await promisify(execFile)('wrk', args);
  const [, report] = /^report (.*)$/m.exec(stdout) ?? [];
  if (report === undefined) throw new Error(`no report from wrk: ${stdout}`);
  return JSON.parse(report) as Load;
}

function scriptOf(pauseMs: number, headers: Readonly<Record<string, string>>): string {
  return `
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join('\n')}
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() statuses = {} end
function delay() return ${pauseMs} end
function response(status) statuses[tostring(status)] = (statuses[tostring(status)] or 0) + 1 end
function done(summary, latency)
  local counts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      table.insert(counts, string.format('"%s":%d', status, count))
    end
  end
  local errors = summary.errors
  print(string.format(
    'report {"requests":%d,"seconds":%f,"statuses":{%s},"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d},"medianMs":%f,"p99Ms":%f}',
    summary.requests, summary.duration / 1e6, table.concat(counts, ","),
    errors.connect, errors.read, errors.write, errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`;
}
