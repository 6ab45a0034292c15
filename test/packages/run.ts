import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The Debian package, installed into the first Debian whose own Node.js it runs in, with that systemd as PID 1:
// npm run test:packages. Needs root, debootstrap, and Debian's packages.
const DEBIAN = 'trixie';
const PACKAGES = ['nodejs', 'systemd', 'systemd-sysv'];

const project = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const root = mkdtempSync(join(tmpdir(), 'port-exporter-debian-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

execFileSync('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, DEBIAN, root], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
const vitest = [join(project, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'test/vitest.config.ts'];
const { status } = spawnSync(process.execPath, [...vitest, 'test/e2e/packages.test.ts'], {
  cwd: project,
  env: { ...process.env, CI: 'true', PACKAGES_ROOT: root },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
