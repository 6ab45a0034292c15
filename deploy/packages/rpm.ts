import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOMEPAGE, LICENSE, SUMMARY, VERSION } from './identity.ts';
import { ARCHITECTURES, type Architecture, CONFFILE, deployed } from './stage.ts';

/**
 * An rpm package of the same files as the Debian one, in a file of `into` → its path. It needs rpmbuild.
 *
 * @param staged what `stage` wrote for that architecture
 * @param into a folder that is there
 */
export function buildRpm(architecture: Architecture, staged: string, into: string): string {
  const work = mkdtempSync(join(tmpdir(), 'port-exporter-rpm-'));
  try {
    const spec = join(work, 'port-exporter.spec');
    writeFileSync(spec, deployed('packages/port-exporter.spec'));
    const cpu = ARCHITECTURES[architecture].rpm;
    const defined = {
      _topdir: join(work, 'build'),
      staged_root: staged,
      package_version: VERSION.replaceAll('-', '~'),
      package_summary: SUMMARY,
      package_license: LICENSE,
      package_url: HOMEPAGE,
      conffile: `/${CONFFILE}`,
    };
    const definitions = Object.entries(defined).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
    execFileSync('rpmbuild', ['-bb', '--quiet', '--target', `${cpu}-linux`, ...definitions, spec], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const built = join(work, 'build/RPMS', cpu);
    const [name] = readdirSync(built);
    if (name === undefined) throw new Error('rpmbuild made nothing');
    cpSync(join(built, name), join(into, name));
    return join(into, name);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
