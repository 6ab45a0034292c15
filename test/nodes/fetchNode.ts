import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';

/** The newest official build of a major version, as npm has it, in a folder of `into` → that folder, of which `bin/node` is it. */
export function fetchNode(major: number, into: string): string {
  const directory = join(into, String(major));
  if (!existsSync(join(directory, 'bin/node'))) {
    mkdirSync(directory, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--silent', `node-linux-${arch()}@${major}`], {
      cwd: directory,
      encoding: 'utf8',
    });
    const [tarball = ''] = packed.trim().split('\n').reverse();
    execFileSync('tar', ['--extract', '--file', tarball, '--strip-components=1'], { cwd: directory });
  }
  return directory;
}
