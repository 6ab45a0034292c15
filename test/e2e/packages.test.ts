import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildDeb } from '../../deploy/packages/deb.ts';
import { VERSION } from '../../deploy/packages/identity.ts';
import { buildRpm } from '../../deploy/packages/rpm.ts';
import { type Architecture, stage } from '../../deploy/packages/stage.ts';
import { COMMANDS } from '../../src/cli/commandLine.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { enterNamespace } from '../live/support/posix.ts';
import { parseExposition } from '../support/exposition.ts';
import { get } from './support/http.ts';
import { newDirectory } from './support/procfs.ts';
import { missingSystemd, type Outcome, SystemdMachine } from './support/systemdMachine.ts';

const UNIT = 'port-exporter.service';
const PORT = 10_069;
const NATIVE: Architecture = arch() === 'arm64' ? 'arm64' : 'amd64';
const FOREIGN: Architecture = NATIVE === 'amd64' ? 'arm64' : 'amd64';
const PATIENCE = { timeout: 30_000 * SLOWNESS, interval: 100 };
/** Another system than this one to install into: npm run test:packages makes one. */
const ROOT = process.env['PACKAGES_ROOT'] ?? '/';
const TOOLS = ['dpkg-deb', 'lintian', 'rpmbuild', 'rpm', 'man'];

const missing = missingSystemd() ?? missingTool() ?? missingRegistry();
const isSkipped = missing !== undefined && process.env['CI'] !== 'true';

describe.skipIf(isSkipped)(`packages${isSkipped ? ` (skipped: ${missing})` : ''}`, () => {
  let directory: string;
  const built = {} as { deb: string; foreign: string; rpm: string };

  beforeAll(() => {
    directory = newDirectory();
    const staged = newDirectory();
    stage(staged, NATIVE);
    built.deb = buildDeb(NATIVE, staged, directory);
    built.rpm = buildRpm(NATIVE, staged, directory);
    const foreign = newDirectory();
    stage(foreign, FOREIGN);
    built.foreign = buildDeb(FOREIGN, foreign, directory);
  }, 600_000 * SLOWNESS);

  describe('the Debian package', () => {
    it('has nothing that lintian calls an error', () => {
      for (const file of [built.deb, built.foreign]) {
        const { stdout, stderr, status } = spawnSync(
          'lintian',
          ['--allow-root', '--fail-on', 'error', file],
          {
            encoding: 'utf8',
          },
        );
        expect(`${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
        expect(status).toBe(0);
      }
    });

    it('depends on a Node.js that it runs in, and is for the architecture of its binaries', () => {
      for (const [file, architecture] of [
        [built.deb, NATIVE],
        [built.foreign, FOREIGN],
      ] as const) {
        const field = (name: string) => ask('dpkg-deb', '--field', file, name);
        expect(field('Depends')).toContain('nodejs (>= 20.19)');
        expect([field('Architecture'), field('Version')]).toEqual([architecture, VERSION]);
        const root = extracted(file);
        const libraries = ask('find', root, '-name', '*.node').split('\n');
        expect(libraries.map((path) => basename(path)).toSorted()).toEqual([
          'bcrypt.glibc.node',
          'koffi.node',
        ]);
        for (const path of libraries) expect(machineOf(path)).toBe(MACHINES[architecture]);
      }
    });

    it('has what users look for, where they look for it, and all of it root’s', () => {
      const listing = ask('dpkg-deb', '--contents', built.deb).split('\n');
      expect(listing.filter((line) => !/^\S+ root\/root /.test(line))).toEqual([]);
      const paths = listing.map((line) => line.split(/\s+/)[5] ?? '');
      expect(paths).toEqual(
        expect.arrayContaining([
          './usr/bin/port-exporter',
          './usr/lib/systemd/system/port-exporter.service',
          './usr/share/man/man1/port-exporter.1.gz',
          './usr/share/bash-completion/completions/port-exporter',
          './usr/share/doc/port-exporter/copyright',
          './usr/share/doc/port-exporter/changelog.gz',
          './etc/default/port-exporter',
        ]),
      );
      expect(
        paths.filter((path) => /\.tsx?$|\/(test|src)\/.*\.js$/.test(path) && !path.includes('koffi')),
      ).toEqual([]);
      const root = extracted(built.deb);
      const unit = readFileSync(join(root, 'usr/lib/systemd/system', UNIT), 'utf8');
      expect(unit).toMatch(/^ExecStart=\/usr\/bin\/port-exporter$/m);
      expect(unit).toMatch(/^User=port-exporter$/m);
      expect(unit).not.toMatch(/^DynamicUser=/m);
    });

    it('has a man page of every command and flag, that man has nothing to say about', () => {
      const page = join(extracted(built.deb), 'usr/share/man/man1/port-exporter.1.gz');
      const { stdout, stderr } = spawnSync('man', ['--warnings', '--local-file', page], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' },
      });
      expect(stderr).toBe('');
      // Lines are broken anywhere, at hyphens and within words.
      const joined = (text: string) => text.replaceAll(/[\s‐-]/gu, '');
      const described = COMMANDS.flatMap(({ pattern, flags }) => [
        ...(pattern === '$0' ? [] : [pattern]),
        ...Object.keys(flags).filter((name) => flags[name]?.hidden !== true),
      ]);
      expect(described.length).toBeGreaterThan(40);
      expect(described.filter((word) => !joined(stdout).includes(joined(word)))).toEqual([]);
    });
  });

  describe('under systemd as PID 1', () => {
    let machine: SystemdMachine;
    let leave = () => {};
    let before: string[];

    beforeAll(async () => {
      machine = await SystemdMachine.boot({ root: ROOT });
      leave = enterNamespace(machine.netns);
      mkdirSync(machine.path('/run/packages'));
      // Where the tests run in a container, it forbids packages to start what they install.
      rmSync(machine.path('/usr/sbin/policy-rc.d'), { force: true });
      before = await files();
    }, 120_000 * SLOWNESS);
    afterAll(async () => {
      leave();
      await machine?.shutDown();
    }, 60_000 * SLOWNESS);

    /**
     * Configuration and state, whoever's, and what is called as the package; but for what dpkg, rpm and systemd keep, and for
     * namespaces, which other tests name meanwhile: what is below the machine's root file system is seen in it.
     */
    async function files(): Promise<string[]> {
      const kept = await machine.ask('find', '/etc', '/var', '-xdev');
      const named = await machine.ask('find', '/usr', '/opt', '-xdev', '-name', '*port-exporter*');
      return [...kept.split('\n'), ...named.split('\n')]
        .filter(
          (path) =>
            !/^\/etc\/netns\b|^\/var\/(lib\/(dpkg|rpm|systemd)|log|cache|tmp)\b|-$|\/\.updated$|\/\.pwd\.lock$/.test(
              path,
            ),
        )
        .toSorted();
    }

    async function install(file: string, ...how: readonly string[]): Promise<Outcome> {
      const inside = `/run/packages/${basename(file)}`;
      copyFileSync(file, machine.path(inside));
      return { code: 0, stderr: '', stdout: await machine.ask(...how, inside) };
    }

    const isActive = async () => (await machine.run('systemctl', 'is-active', UNIT)).stdout.trim();
    const users = async () => (await machine.run('getent', 'passwd', 'port-exporter')).stdout.trim();
    const dpkg = (file: string) =>
      // Only a Node.js that came as a package is known to dpkg; that of npm run test:packages did.
      install(file, 'dpkg', ...(ROOT === '/' ? ['--force-depends'] : []), '--force-confold', '--install');

    async function expectServing(): Promise<void> {
      await vi.waitFor(async () => expect(await isActive()).toBe('active'), PATIENCE);
      await vi.waitFor(async () => expect((await get(PORT, '/-/ready')).status).toBe(200), PATIENCE);
      const series = parseExposition((await get(PORT, '/metrics')).text);
      const sources = series.filter(({ name }) => name === 'port_exporter_source_info');
      // Without its library for system calls it would read /proc/net, and hardly anybody would notice.
      expect(sources.map(({ labels, value }) => [labels['source'], value])).toEqual([['netlink', 1]]);
      expect(series.find(({ name }) => name === 'port_ephemeral_ports')?.value).toBeGreaterThan(0);
    }

    it('the Debian package is active once it is installed, as its own user, and serves what the kernel says', async () => {
      await dpkg(built.deb);
      await expectServing();
      expect(await machine.ask('systemctl', 'is-enabled', UNIT)).toBe('enabled');
      expect(await users()).toMatch(/^port-exporter:x:\d+:\d+:.*nologin$/);
      const pid = await machine.property(UNIT, 'MainPID');
      expect(await machine.ask('stat', '--format=%U', `/proc/${pid}`)).toBe('port-exporter');
      expect(await machine.ask('port-exporter', 'listeners', String(PORT))).toContain(String(PORT));
      expect(await machine.ask('port-exporter', '--version')).toContain(`version ${VERSION}`);
    });

    it('is restarted by an upgrade, which keeps what was changed in its conffile', async () => {
      const conffile = machine.path('/etc/default/port-exporter');
      const changed = readFileSync(conffile, 'utf8').replace(
        '#PORT_EXPORTER_SAMPLE_INTERVAL=5s',
        'PORT_EXPORTER_SAMPLE_INTERVAL=7s',
      );
      writeFileSync(conffile, changed);
      const pid = await machine.property(UNIT, 'MainPID');
      await dpkg(nextVersion(built.deb, directory));
      expect(await machine.ask('dpkg-query', '--show', `--showformat=$${'{Version}'}`, 'port-exporter')).toBe(
        `${VERSION}+next`,
      );
      expect(readFileSync(conffile, 'utf8')).toBe(changed);
      await expectServing();
      expect(await machine.property(UNIT, 'MainPID')).not.toBe(pid);
      expect(await machine.property(UNIT, 'StatusText')).toMatch(/a sample every 7s$/);
    });

    it('stays disabled through an upgrade where somebody disabled it', async () => {
      await machine.ask('systemctl', 'disable', '--now', UNIT);
      await dpkg(built.deb);
      expect(await machine.run('systemctl', 'is-enabled', UNIT)).toMatchObject({ stdout: 'disabled\n' });
      await machine.ask('systemctl', 'enable', '--now', UNIT);
    });

    it('leaves its configuration when it is removed, and nothing when it is purged', async () => {
      await machine.ask('dpkg', '--remove', 'port-exporter');
      expect(await isActive()).toBe('inactive');
      expect(statSync(machine.path('/etc/default/port-exporter')).isFile()).toBe(true);
      await machine.ask('dpkg', '--purge', 'port-exporter');
      expect(await files()).toEqual(before);
      expect(await users()).toBe('');
      expect(await machine.run('systemctl', 'status', UNIT)).toMatchObject({ code: 4 });
    });

    it.skipIf(ROOT !== '/')(
      'the rpm package serves as well, keeps its configuration, and leaves nothing',
      async () => {
        await machine.ask('rpm', '--initdb');
        await install(built.rpm, 'rpm', '--install', '--nodeps');
        expect(await machine.ask('rpm', '--verify', '--nodeps', 'port-exporter')).toBe('');
        expect(await machine.ask('rpm', '--query', '--configfiles', 'port-exporter')).toBe(
          '/etc/default/port-exporter',
        );
        expect(await machine.ask('rpm', '--query', '--requires', 'port-exporter')).toContain(
          'nodejs >= 20.19',
        );
        await machine.ask('systemctl', 'start', UNIT);
        await expectServing();
        expect(await users()).toMatch(/^port-exporter:/);
        await machine.ask('rpm', '--erase', 'port-exporter');
        expect(await isActive()).not.toBe('active');
        await machine.ask('userdel', 'port-exporter');
        expect(await files()).toEqual(before);
      },
    );

    it('both packages install the same files', () => {
      const ofDeb = ask('dpkg-deb', '--contents', built.deb)
        .split('\n')
        .map((line) => line.split(/\s+/)[5]?.slice(1) ?? '')
        .filter((path) => !path.endsWith('/') && !path.endsWith('/changelog.gz'));
      const ofRpm = ask('rpm', '--query', '--list', '--package', built.rpm).split('\n');
      const ofRpmFiles = ofRpm.filter((path) => !ofRpm.some((other) => other.startsWith(`${path}/`)));
      expect(ofRpmFiles.toSorted()).toEqual(ofDeb.toSorted());
    });
  });

  function extracted(deb: string): string {
    const root = newDirectory();
    ask('dpkg-deb', '--extract', deb, root);
    return root;
  }
});

/** e_machine of elf(5). */
const MACHINES = { amd64: 62, arm64: 183 } as const;

function machineOf(path: string): number {
  return readFileSync(path).readUInt16LE(18);
}

/** The same package again, as of the next version. */
function nextVersion(deb: string, into: string): string {
  const root = newDirectory();
  ask('dpkg-deb', '--raw-extract', deb, root);
  const control = join(root, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${VERSION}+next`));
  const file = join(into, 'next.deb');
  ask('dpkg-deb', '--root-owner-group', '--build', root, file);
  return file;
}

function ask(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}

function missingTool(): string | undefined {
  const tool = TOOLS.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return tool && `no ${tool}`;
}

function missingRegistry(): string | undefined {
  return spawnSync('npm', ['ping'], { timeout: 20_000 * SLOWNESS }).status === 0
    ? undefined
    : 'no npm registry';
}
