import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { get, keepingAgent } from '../e2e/support/http.ts';
import { itNeeding, missingNobody, NOBODY } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Daemon } from '../e2e/support/program.ts';
import { newCgroups, UNIQUE } from '../live/support/cgroups.ts';
import { endHolder, namespaceInodeOf, newHolder } from '../live/support/holder.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { enterNamespace } from '../live/support/posix.ts';
import { describeInCgroups } from '../live/support/privilege.ts';
import { parseExposition, type Series } from '../support/exposition.ts';

const TENANT = fileURLToPath(new URL('./support/tenant.mjs', import.meta.url));
const POD = '5e0c1a70-6f2b-4d0e-9f3a-0000000beef1';
const CONTAINER = 'ba5eba12'.repeat(8);
const PLACE = `kubepods.slice/kubepods-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope`;
const SOON = { timeout: 20_000 * SLOWNESS, interval: 50 };

/** What is said of a namespace, but for what names the moment and what changes by itself. */
function numbersOf(series: readonly Series[], netns: string): string[] {
  const passing = /_(?:seconds|timestamp\w*|age\w*|duration\w*)$/;
  return series
    .filter(({ name, labels }) => labels['netns'] === netns && !passing.test(name))
    .map(({ name, labels, value }) => `${name}${JSON.stringify(labels)} ${value}`)
    .toSorted();
}

/** As soon as it is the same five times, a sample apart: what was there before it looked has passed. */
async function settled(look: () => Promise<string[]>): Promise<string[]> {
  let last = await look();
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = await look();
    same = JSON.stringify(next) === JSON.stringify(last) ? same + 1 : 0;
    last = next;
  }
  return last;
}

describeInCgroups('An unprivileged user with a user namespace and a delegated cgroup', () => {
  itNeeding(
    missingNobody,
    "changes no number of the host's, and takes no name of a pod's",
    async () => {
      const host = new NamedNamespace();
      host.inside((world) => {
        world.listen('127.0.0.1', 5432);
        for (let n = 0; n < 25; n++) world.connect('127.0.0.1');
      });
      const cgroups = newCgroups();
      const enter = `echo $$ > ${cgroups.make(`${UNIQUE}.slice/${PLACE}`)}/cgroup.procs && exec "$@"`;
      const victim = await newHolder(['sh', '-c', enter, 'sh', 'unshare', '--net', 'sleep', '1000']);
      const daemon = await Daemon.started(['--sample.interval=200ms', '--sample.max-duty=1'], {
        launcher: ['nsenter', `--net=${host.path}`],
        env: { PORT_EXPORTER_NAMESPACES: 'all', PORT_EXPORTER_PROCESSES_BUDGET: '100ms' },
      });
      // One connection for all requests, in the namespace whose numbers must not change.
      const agent = keepingAgent();
      const scrape = async () => parseExposition((await get(daemon.port, '/metrics', {}, agent)).text);
      const leave = enterNamespace(host.path);
      await scrape().finally(leave);
      const ofVictim = (series: readonly Series[]) =>
        series
          .filter(
            ({ name, labels }) =>
              name === 'port_namespace_info' && (labels['netns'] === POD || labels['pod_uid'] === POD),
          )
          .map(({ labels }) => labels['inode']);
      try {
        const inode = String(namespaceInodeOf(victim.pid));
        await vi.waitFor(async () => expect(ofVictim(await scrape())).toEqual([inode]), SOON);
        const before = await settled(async () => numbersOf(await scrape(), host.name));
        expect(before.length).toBeGreaterThan(30);

        const tenant = await startTenant(
          cgroups.make(`${UNIQUE}.slice/user-${NOBODY}.slice/user@${NOBODY}.service`),
        );
        try {
          for (let n = 0; n < 20; n++) {
            await new Promise((resolve) => setTimeout(resolve, 200));
            const during = await scrape();
            expect(numbersOf(during, host.name)).toEqual(before);
            expect(ofVictim(during)).toEqual([inode]);
          }
          // It is there, and seen.
          const seen = await scrape();
          expect(seen.some(({ name, value }) => name === 'port_listeners' && value >= 200)).toBe(true);
        } finally {
          await end(tenant);
        }
        await vi.waitFor(async () => expect(numbersOf(await scrape(), host.name)).toEqual(before), SOON);
        expect(daemon.lines.join('\n')).not.toMatch(/level=error|internal error|^ {4}at /m);
        expect((await daemon.end()).code).toBe(0);
      } finally {
        agent.destroy();
        await endHolder(victim);
      }
    },
    120_000 * SLOWNESS,
  );
});

interface Tenant {
  readonly child: ChildProcess;
  readonly cgroup: string;
  readonly room: string;
}

/** In a cgroup that is its own, as nobody. */
async function startTenant(cgroup: string): Promise<Tenant> {
  const room = newDirectory();
  for (const path of [room, cgroup, join(cgroup, 'cgroup.procs'), join(cgroup, 'cgroup.subtree_control')]) {
    chownSync(path, NOBODY, NOBODY);
  }
  const command = [
    ...['unshare', '--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child'],
    ...[process.execPath, TENANT, cgroup, room, PLACE, `${CONTAINER}`, `docker-${CONTAINER}.scope`],
  ];
  const enter = `echo $$ > ${cgroup}/cgroup.procs && exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups "$@"`;
  const child = spawn('sh', ['-c', enter, 'sh', ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  expect(line).toBe('ready');
  return { child, cgroup, room };
}

/** Its namespace of processes ends with it. What it made has paths that only these programs can remove. */
async function end({ child, cgroup, room }: Tenant): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
  execFileSync('find', [room, '-mindepth', '1', '-delete']);
  await vi.waitFor(
    () =>
      execFileSync('find', [cgroup, '-mindepth', '1', '-depth', '-type', 'd', '-delete'], {
        stdio: 'ignore',
      }),
    SOON,
  );
}
