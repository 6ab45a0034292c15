import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, copyFiles, minified, ROOT } from './bundle.ts';
import { noticesOf } from './notices.ts';

// npm run build: src/ → dist/, which is what is packed, and what the tests of the program run.

const DIST = join(ROOT, 'dist');

/** Each is a process of its own, by the name of its file. */
const PROGRAMS = {
  main: 'src/main.ts',
  launcher: 'src/launcher/launcher.ts',
  sampler: 'src/sampling/sampler.ts',
};

rmSync(DIST, { recursive: true, force: true });
const libraries = await bundle(PROGRAMS, DIST);
chmodSync(join(DIST, 'main.js'), 0o755);
copyFiles('src/web/page', join(DIST, 'web/page'), /\.(css|svg)$/);
await minified('src/web/page/browser/refresh.ts', join(DIST, 'web/page/refresh.js'));
copyFiles('node_modules/idiomorph/dist', join(DIST, 'web/page'), /^idiomorph\.min\.js$/, 'morph.js');
copyFiles('node_modules/yargs/locales', join(DIST, 'locales'), /^en\.json$/);
writeFileSync(
  join(DIST, 'THIRD-PARTY-NOTICES'),
  noticesOf([...libraries, 'node_modules/idiomorph'].toSorted()),
);
writeRevision();

/** Outside of git there is none. */
function writeRevision(): void {
  try {
    const revision = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    writeFileSync(join(DIST, 'revision'), revision);
  } catch {}
}
