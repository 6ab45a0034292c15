import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const METRICS = readFileSync(new URL('../../deploy/reference/metrics.md', import.meta.url), 'utf8');

/**
 * The labels of every metric that the built program exposes now. A metric of which this machine has no series has the
 * labels that deploy/reference/metrics.md gives it; another test compares those with the output.
 */
export async function exposedMetrics(): Promise<Map<string, string[]>> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--once', '--namespaces=self']);
  const documented = new Map(
    [...METRICS.matchAll(/^\| `(port_\w+)` \| (.*?) \|/gm)].map(([, metric = '', labels = '']) => [
      metric,
      [...labels.matchAll(/\w+/g)].map(String),
    ]),
  );
  return new Map(
    [...stdout.matchAll(/^# TYPE (\S+) /gm)].map(([, metric = '']) => [metric, documented.get(metric) ?? []]),
  );
}
