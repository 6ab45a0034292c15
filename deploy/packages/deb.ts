import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { debianChangelog } from './debianChangelog.ts';
import { HOMEPAGE, MAINTAINER, SUMMARY, VERSION } from './identity.ts';
import { type Architecture, CONFFILE, deployed } from './stage.ts';

/**
 * A Debian package, in a file of `into` → its path. It needs dpkg-deb.
 *
 * @param staged what `stage` wrote for that architecture
 * @param into a folder that is there
 */
export function buildDeb(architecture: Architecture, staged: string, into: string): string {
  const root = mkdtempSync(join(tmpdir(), 'port-exporter-deb-'));
  try {
    cpSync(staged, root, { recursive: true, verbatimSymlinks: true });
    chmodSync(root, 0o755);
    const changelog = debianChangelog(deployed('../.github/CHANGELOG.md'));
    writeFileSync(join(root, 'usr/share/doc/port-exporter/changelog.gz'), gzipSync(changelog, { level: 9 }));
    writeControl(root, architecture);
    const file = join(into, `port-exporter_${VERSION}_${architecture}.deb`);
    // Whoever builds it, root owns what it installs.
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', root, file], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return file;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function writeControl(root: string, architecture: Architecture): void {
  const files = filesBelow(root);
  const kilobytes = Math.ceil(files.reduce((sum, path) => sum + lstatSync(join(root, path)).size, 0) / 1024);
  const sums = files
    .filter((path) => lstatSync(join(root, path)).isFile() && path !== CONFFILE)
    .map(
      (path) =>
        `${createHash('md5')
          .update(readFileSync(join(root, path)))
          .digest('hex')}  ${path}`,
    );
  const directory = join(root, 'DEBIAN');
  mkdirSync(directory);
  const put = (name: string, text: string, mode = 0o644) => {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), mode);
  };
  put('control', controlOf(architecture, kilobytes));
  put('conffiles', `/${CONFFILE}\n`);
  put('md5sums', `${sums.join('\n')}\n`);
  for (const script of ['postinst', 'prerm', 'postrm']) put(script, deployed(`packages/${script}`), 0o755);
}

function controlOf(architecture: Architecture, kilobytes: number): string {
  return `Package: port-exporter
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: nodejs (>= 20.19), libc6, libgcc-s1, libstdc++6, init-system-helpers (>= 1.54)
Recommends: systemd
Suggests: prometheus
Section: net
Priority: optional
Homepage: ${HOMEPAGE}
Description: ${SUMMARY}
 When a host runs out of ephemeral ports, connect() fails with EADDRNOTAVAIL,
 and no counter of the kernel moves. This daemon samples the socket tables and
 serves, for each destination and network namespace, how many further calls
 will succeed.
 .
 It also answers at a shell who listens, who holds a port, and why ports run
 out.
`;
}

/** Files and symbolic links. */
function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !lstatSync(join(root, path)).isDirectory())
    .toSorted();
}
