import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildDeb } from './deb.ts';
import { buildRpm } from './rpm.ts';
import { ARCHITECTURES, type Architecture, stage } from './stage.ts';

// npm run package:deb -- [amd64|arm64] [FOLDER], and the same for package:rpm. By default for both, into packages/.
const [kind, ...rest] = process.argv.slice(2);
const build = { deb: buildDeb, rpm: buildRpm }[kind ?? ''];
if (build === undefined) throw new Error(`invalid kind ${JSON.stringify(kind)}: expected deb or rpm`);
const all = Object.keys(ARCHITECTURES) as Architecture[];
const chosen = all.filter((architecture) => rest.includes(architecture));
const [into = 'packages', ...more] = rest.filter(
  (word) => !all.some((architecture) => architecture === word),
);
if (more.length > 0)
  throw new Error(`unknown arguments ${more.join(' ')}: expected [${all.join('|')}] [FOLDER]`);
const folder = resolve(into);
mkdirSync(folder, { recursive: true });
for (const architecture of chosen.length > 0 ? chosen : all) {
  const staged = mkdtempSync(join(tmpdir(), 'port-exporter-package-'));
  try {
    stage(staged, architecture);
    console.log(build(architecture, staged, folder));
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}
