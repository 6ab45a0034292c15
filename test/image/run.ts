import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { VERSION } from '../../src/base/version.ts';
import { KUBERNETES, renderedByKind } from '../deploy/support/manifests.ts';
import { fetchNode } from '../nodes/fetchNode.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { EXTRA_CERTIFICATES, makeBuildBase, makeRuntimeBase } from './bases.ts';
import { Buildah } from './buildah.ts';
import { Container } from './container.ts';

// The Dockerfile's own steps, on bases made from Debian's packages and Node's official build because no registry is
// asked, and the image run by an OCI runtime: npm run test:image. Needs root, buildah, debootstrap, runc and kubectl.
const project = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const work = mkdtempSync(join(tmpdir(), 'port-exporter-image-'));
const IMAGE = `localhost/port-exporter:${VERSION}`;
const REVISION = 'cafe123';
const CREATED = '2026-01-31T00:00:00Z';
const NONROOT = 65_532;
const PORT = 20_069;
const SBOM = 'app/port-exporter.cdx.json';

process.on('exit', () => rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const buildah = new Buildah(work);
const rootfs = build();
checkConfig();
checkFiles();
await checkAsNonRoot();
await checkAsDaemonSet();
console.log('the image is as it should be');

function build(): string {
  const node = fetchNode(24, work);
  const trust =
    process.env['NODE_EXTRA_CA_CERTS'] === undefined
      ? []
      : ['--env', `NODE_EXTRA_CA_CERTS=${EXTRA_CERTIFICATES}`];
  buildah.importDirectory(makeBuildBase(work, node), 'docker.io/library/node:24-trixie-slim', trust);
  const user = ['--user', String(NONROOT), '--entrypoint', '["/nodejs/bin/node"]'];
  buildah.importDirectory(makeRuntimeBase(work, node), 'gcr.io/distroless/nodejs24-debian13:nonroot', user);
  buildah.build(project, join(project, 'deploy/container/Dockerfile'), IMAGE, [
    `REVISION=${REVISION}`,
    `CREATED=${CREATED}`,
  ]);
  return buildah.mount(IMAGE);
}

function checkConfig(): void {
  const config = buildah.config(IMAGE);
  assert.equal(config.User, `${NONROOT}:${NONROOT}`);
  assert.deepEqual(config.Entrypoint, ['port-exporter']);
  assert.deepEqual(Object.keys(config.ExposedPorts), ['10069/tcp']);
  assert.equal(config.Labels['org.opencontainers.image.version'], VERSION);
  assert.equal(config.Labels['org.opencontainers.image.revision'], REVISION);
  assert.equal(config.Labels['org.opencontainers.image.created'], CREATED);
}

function checkFiles(): void {
  for (const absent of ['bin/sh', 'usr/bin/sh', 'usr/bin/env', 'app/src', 'app/node_modules/typescript']) {
    assert.ok(!existsSync(join(rootfs, absent)), `${absent} is in the image`);
  }
  for (const present of ['app/LICENSE', 'app/dist/main.js', 'app/node_modules/koffi', SBOM]) {
    assert.ok(existsSync(join(rootfs, present)), `${present} is not in the image`);
  }
  checkSbom();
  let bytes = 0;
  for (const entry of readdirSync(join(rootfs, 'app'), { recursive: true, encoding: 'utf8' })) {
    const { uid, gid, mode, size } = lstatSync(join(rootfs, 'app', entry));
    assert.deepEqual({ uid, gid }, { uid: 0, gid: 0 }, entry);
    assert.ok((mode & 0o004) !== 0, `${entry} cannot be read by everybody`);
    bytes += size;
  }
  const { size: nodeBytes } = lstatSync(join(rootfs, 'nodejs/bin/node'));
  console.log(
    `/app ${megabytes(bytes)}, Node itself ${megabytes(nodeBytes)}, all files ${megabytes(total(rootfs))}`,
  );
  assert.ok(bytes < 40e6, '/app is too large');
}

/** It lists what is bundled and what is in node_modules, and nothing else but the same for other platforms. */
function checkSbom(): void {
  const { metadata, components } = JSON.parse(readFileSync(join(rootfs, SBOM), 'utf8'));
  assert.equal(metadata.component.purl, `pkg:npm/port-exporter@${VERSION}`);
  const listed: string[] = components.map(
    ({ group, name, version }: { group?: string; name: string; version: string }) =>
      `${group ? `${group}/` : ''}${name}@${version}`,
  );
  const installed = readdirSync(join(rootfs, 'app/node_modules'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /(?:^|node_modules\/)(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
    .map((path) => JSON.parse(readFileSync(join(rootfs, 'app/node_modules', path), 'utf8')))
    .map(({ name, version }) => `${name}@${version}`);
  assert.ok(installed.some((name) => name.startsWith('koffi@')));
  const notices = readFileSync(join(rootfs, 'app/dist/THIRD-PARTY-NOTICES'), 'utf8');
  const bundled = [...notices.matchAll(/^-{80}\n(\S+) (\S+)$/gm)].map(
    ([, name, version]) => `${name}@${version}`,
  );
  assert.ok(bundled.some((name) => name.startsWith('hono@')));
  for (const one of [...installed, ...bundled]) assert.ok(listed.includes(one), `${one} is not in the SBOM`);
}

async function checkAsNonRoot(): Promise<void> {
  const unprivileged = changed({ runAsUser: NONROOT, runAsGroup: NONROOT, capabilities: { drop: ['ALL'] } });
  const version = await ran(unprivileged, ['port-exporter', '--version']);
  assert.ok(version.stdout.startsWith(`port-exporter, version ${VERSION} `), version.stdout + version.stderr);
  // Both native modules load: what npm chose in the build stage is for this C library. (koffi: without it, source="proc".)
  const hash = "process.stdout.write(require('/app/node_modules/bcrypt').hashSync('x', 4))";
  assert.match((await ran(unprivileged, ['/nodejs/bin/node', '-e', hash])).stdout, /^\$2b\$04\$.{53}$/);
  const once = await ran(unprivileged, [
    ...['port-exporter', '--once', '--namespaces=self', '--processes.budget=0'],
  ]);
  assert.equal(once.code, 0, once.stderr);
  const series = parseExposition(once.stdout);
  const info = series.find(({ name }) => name === 'port_exporter_build_info');
  assert.equal(info?.labels['version'], VERSION);
  assert.equal(info.labels['revision'], REVISION);
  assert.match(info.labels['node_version'] ?? '', /^v24\./);
  assert.ok(series.some(({ name, value }) => name === 'port_ephemeral_ports' && value > 0));
  const source = series.find(({ name }) => name === 'port_exporter_source_info');
  assert.equal(source?.labels['source'], 'netlink');
  console.log(`as uid ${NONROOT} without capabilities, --once: ${series.length} series\n${once.stderr}`);
}

async function checkAsDaemonSet(): Promise<void> {
  const holder = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
  const container = new Container(work, rootfs, renderedByKind(KUBERNETES).DaemonSet, {
    command: ['port-exporter'],
    env: { PORT_EXPORTER_WEB_LISTEN_ADDRESS: `127.0.0.1:${PORT}` },
  });
  try {
    const series = await scraped();
    const link = () => readlinkSync(`/proc/${holder.pid}/ns/net`).replace(/\D/g, '');
    assert.ok(
      series.some(({ name, labels }) => name === 'port_namespace_info' && labels['inode'] === link()),
    );
    const resident = series.find(({ name }) => name === 'process_resident_memory_bytes')?.value ?? 0;
    console.log(`as the DaemonSet: ${series.length} series, ${megabytes(resident)} of memory`);
    const { code } = await container.ended('SIGTERM');
    assert.equal(code, 0);
  } finally {
    container.remove();
    holder.kill('SIGKILL');
  }
}

/** Once there is a sample. */
async function scraped(): Promise<Series[]> {
  for (const until = Date.now() + 30_000; ; await sleep(100)) {
    try {
      const { status } = await fetch(`http://127.0.0.1:${PORT}/-/ready`);
      if (status === 200) break;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    assert.ok(Date.now() < until, 'not ready in time');
  }
  return parseExposition(await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text());
}

async function ran(daemonSet: IDaemonSet, command: readonly string[]) {
  const container = new Container(work, rootfs, daemonSet, { command });
  try {
    return await container.ended();
  } finally {
    container.remove();
  }
}

function changed(securityContext: object): IDaemonSet {
  const { DaemonSet } = renderedByKind(KUBERNETES);
  const [container] = DaemonSet.spec?.template.spec?.containers ?? [];
  Object.assign(container?.securityContext ?? {}, securityContext);
  return DaemonSet;
}

function total(directory: string): number {
  const [kilobytes = ''] = execFileSync(
    'du',
    ['--summarize', '--apparent-size', '--block-size=1000', directory],
    {
      encoding: 'utf8',
    },
  ).split('\t');
  return Number(kilobytes) * 1000;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
