import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { parseExposition } from '../support/exposition.ts';
import { newCgroups, UNIQUE } from './support/cgroups.ts';
import { newWorld } from './support/exact.ts';
import { sampled } from './support/exporter.ts';
import { SLOWNESS } from './support/kernel.ts';
import { describeInCgroups, describeLive } from './support/privilege.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const NOBODY = 65_534;

/**
 * What any user can do: hold descriptors whose paths are longer than PATH_MAX (readlink() fails with ENAMETOOLONG), of
 * deleted files, of a named pipe, and thousands of them; call itself what it wants; listen behind all that.
 */
const HOSTILE = `
const fs = require('node:fs');
const net = require('node:net');
const [home, port, count] = process.argv.slice(1);
process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
process.title = '\\u001b[31m\\n) S 1 (\\u202e';
process.chdir(home);
fs.writeFileSync('deleted', '');
fs.openSync('deleted', 'r');
fs.unlinkSync('deleted');
for (let depth = 0; depth < 25; depth++) {
  fs.mkdirSync('d'.repeat(200));
  process.chdir('d'.repeat(200));
}
for (let n = 0; n < Number(count); n++) fs.openSync('.', 'r');
net.createServer().listen(Number(port), '127.0.0.9', () => console.log('listening'));
process.stdin.resume().on('end', () => process.exit());
`;

async function startHostile(port: number, descriptors: number): Promise<ChildProcess> {
  const home = mkdtempSync(join(tmpdir(), 'port-exporter-hostile-'));
  chmodSync(home, 0o755);
  chownSync(home, NOBODY, NOBODY);
  const child = spawn(process.execPath, ['-e', HOSTILE, home, String(port), String(descriptors)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const exited = once(child, 'exit');
    child.stdin.end();
    await exited;
    // Relative to each directory: fs.rm() builds paths that are too long as well.
    spawnSync('rm', ['-rf', home]);
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

describeLive('A user who holds descriptors that cannot be read', () => {
  const ask = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 60_000 * SLOWNESS });

  it('stops neither a sample nor a command, and is named like everybody else', async () => {
    newWorld().listen('127.0.0.1', 8001);
    const { pid = 0 } = await startHostile(8002, 300);
    const failing = readdirSync(`/proc/${pid}/fd`).filter((fd) => {
      try {
        readlinkSync(`/proc/${pid}/fd/${fd}`);
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG';
      }
    });
    expect(failing.length).toBeGreaterThan(250);
    const once = ask('--once', '--namespaces=self', '--processes.budget=20s');
    expect(once.stderr).not.toMatch(/^ {4}at |internal error|ENAMETOOLONG/m);
    expect(once.status).toBe(0);
    const series = parseExposition(once.stdout);
    const infos = series.filter(({ name }) => name === 'port_listener_info');
    expect(infos.map(({ labels }) => labels['port']).toSorted()).toEqual(['8001', '8002']);
    expect(infos.find(({ labels }) => labels['port'] === '8002')?.labels['process']).toMatch(/^\\u001b\[31m/);
    const success = series.filter(({ name }) => name === 'port_exporter_sample_success');
    expect(success.filter(({ value }) => value !== 1)).toEqual([]);
    for (const command of ['listeners', 'destinations', 'explain']) {
      const { status, stderr } = ask(command);
      expect({ command, status }).toEqual({ command, status: 0 });
      expect(stderr).not.toMatch(/^ {4}at |internal error/m);
    }
  });
});

/** 25 × 200 bytes are more than PATH_MAX: lstat() of the whole path fails with ENAMETOOLONG. */
const DEEP = `
const fs = require('node:fs');
process.chdir(process.argv[1]);
for (let depth = 0; depth < 25; depth++) {
  fs.mkdirSync('d'.repeat(200));
  process.chdir('d'.repeat(200));
}
`;
const SHALLOW = `
const fs = require('node:fs');
process.chdir(process.argv[1]);
let depth = 0;
for (; fs.existsSync('d'.repeat(200)); depth++) process.chdir('d'.repeat(200));
for (; depth > 0; depth--) {
  process.chdir('..');
  fs.rmdirSync('d'.repeat(200));
}
`;

describeInCgroups('A user to whom a cgroup was delegated', () => {
  it('makes paths that are too long to read, and the owners of others stay known', async () => {
    const world = newWorld();
    const cgroups = newCgroups();
    world.listen('127.0.0.1', 8001);
    cgroups.within(`${UNIQUE}.slice/${UNIQUE}-a.service`, () => world.connect('127.0.0.1'));
    const delegated = cgroups.make(`${UNIQUE}.slice/${UNIQUE}-b.service`);
    const act = (program: string) =>
      spawnSync(process.execPath, ['-e', program, delegated], { encoding: 'utf8' });
    // Before the cgroups themselves go, which is after each test.
    try {
      expect(act(DEEP)).toMatchObject({ status: 0, stderr: '' });
      const exporter = await sampled();
      expect(
        exporter.value('port_owner_ephemeral_ports', { protocol: 'tcp', owner: `${UNIQUE}-a.service` }),
      ).toBe(1);
      expect(exporter.value('port_exporter_sample_success', { collector: 'owners' })).toBe(1);
    } finally {
      act(SHALLOW);
    }
  });
});
