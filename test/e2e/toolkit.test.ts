import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import {
  LOOK_ALIKES,
  makeCertificates,
  TOOLKIT_FILES,
  type ToolkitFile,
} from '../web/config/toolkitFiles.ts';
import { get } from './support/http.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';

// The answers of test/web/config/loadWebConfig.toolkit.test.ts, as given by Debian's builds of exporter-toolkit.

const missingOpenssl = missingTool('openssl', 'version');
const missingPromtool = missingOpenssl ?? missingTool('promtool');
const missingNodeExporter = missingOpenssl ?? missingTool('prometheus-node-exporter');

let directory: string;
beforeAll(() => {
  if (missingOpenssl !== undefined) return;
  directory = newDirectory();
  makeCertificates(directory);
});

function written(name: string, yaml: string | undefined): string {
  const file = join(yaml === undefined ? '/nonexistent' : directory, name);
  if (yaml !== undefined) writeFileSync(file, yaml);
  return file;
}

/** node_exporter as it serves, on a port of its own choice, or how it ended instead. It ends with the test. */
async function nodeExporter(file: string): Promise<{ port: number; ended: number | null }> {
  const child = spawn(
    'prometheus-node-exporter',
    ['--collector.disable-defaults', '--web.listen-address=127.0.0.1:0', `--web.config.file=${file}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  onTestFinished(() => killed(child));
  let port = 0;
  for await (const line of createInterface(child.stderr)) {
    port ||= Number(/msg="Listening on" address=127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0);
    if (/msg="TLS is disabled/.test(line)) return { port, ended: null };
  }
  if (child.exitCode === null) await once(child, 'exit');
  return { port, ended: child.exitCode };
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

describe('exporter-toolkit itself', () => {
  const known = TOOLKIT_FILES.filter(({ isNew }) => isNew !== true);

  itNeeding(
    missingPromtool,
    'accepts and refuses what the table of its files says',
    () => {
      const verdicts = known.map(({ what, yaml }, index) => {
        const { status } = spawnSync('promtool', ['check', 'web-config', written(`${index}.yml`, yaml)]);
        return [what, status];
      });
      // What it finds out when it begins to serve, this check does not.
      expect(verdicts).toEqual(known.map(({ what, toolkit }) => [what, toolkit === 'refuses' ? 1 : 0]));
      expect(verdicts.length).toBeGreaterThan(60);
    },
    60_000 * SLOWNESS,
  );

  itNeeding(missingNodeExporter, 'refuses, serving, what the table says', async () => {
    const serving = known.filter(({ toolkit }: ToolkitFile) => toolkit === 'refuses, serving');
    expect(serving).not.toEqual([]);
    for (const { yaml } of serving) {
      expect(await nodeExporter(written('serving.yml', yaml))).toMatchObject({ ended: 1 });
    }
  });

  itNeeding(missingNodeExporter, 'sends the same headers for values that look like others', async () => {
    const file = written('headers.yml', LOOK_ALIKES);
    const { port } = await nodeExporter(file);
    const theirs = (await get(port, '/metrics')).headers;
    const daemon = await Daemon.started([`--web.config.file=${file}`]);
    const ours = (await daemon.get('/metrics')).headers;
    const names = ['content-security-policy', 'x-xss-protection', 'strict-transport-security'];
    expect(names.map((name) => ours[name])).toEqual(names.map((name) => theirs[name]));
    expect(names.map((name) => ours[name])).toEqual(['1.50', '0', 'True']);
  });
});

it('a listen address of vsock is refused in one line', async () => {
  const daemon = new Daemon(['--web.listen-address=vsock://:9100']);
  await once(daemon.child, 'close');
  expect(daemon.child.exitCode).toBe(1);
  expect(daemon.lines.join('\n')).toMatch(
    /^port-exporter: .*web\.listen-address.*"vsock:\/\/:9100": vsock is not supported: expected /,
  );
});
