import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BROWSER_LIBRARY, bundle, copyFiles, minified, PROGRAMS, ROOT } from './bundle.ts';
import { noticesOf } from './notices.ts';

// npm run build: src/ → dist/, which is what is packed, and what the tests of the program run.

const DIST = join(ROOT, 'dist');

rmSync(DIST, { recursive: true, force: true });
const libraries = await bundle(PROGRAMS, DIST);
chmodSync(join(DIST, 'main.js'), 0o755);
copyFiles('src/web/page', join(DIST, 'web/page'), /\.(css|svg)$/);
await minified('src/web/page/browser/refresh.ts', join(DIST, 'web/page/refresh.js'));
copyFiles(`${BROWSER_LIBRARY}/dist`, join(DIST, 'web/page'), /^idiomorph\.min\.js$/, 'morph.js');
copyFiles('node_modules/yargs/locales', join(DIST, 'locales'), /^en\.json$/);
writeFileSync(join(DIST, 'THIRD-PARTY-NOTICES'), noticesOf([...libraries, BROWSER_LIBRARY].toSorted()));
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
