import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fetchNode } from './fetchNode.ts';

// Unit and e2e tests again, under later versions of Node.js: npm run test:node-versions -- [22|24] [vitest arguments].
// The program, and whatever it starts, runs in the version that tests run in.
const MAJORS = [22, 24];
const [first = '', ...rest] = process.argv.slice(2);
const chosen = MAJORS.filter((major) => String(major) === first);
const given = chosen.length > 0 ? rest : process.argv.slice(2);
const runs = given.length > 0 ? [given] : [['--project=unit*'], ['--project=!last', 'test/e2e/']];

const project = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const closing: string[] = [];
for (const major of chosen.length > 0 ? chosen : MAJORS) {
  const path = `${join(fetchNode(major, join(project, '.cache/nodes')), 'bin')}:${process.env['PATH']}`;
  const env = { ...process.env, PATH: path };
  const version = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim();
  const vitest = [
    join(project, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'test/vitest.config.ts',
  ];
  const failed = runs.filter((vitestArguments) => {
    const { status } = spawnSync('node', [...vitest, ...vitestArguments], {
      cwd: project,
      env,
      stdio: 'inherit',
    });
    return status !== 0;
  });
  closing.push(
    `Node.js ${version}: ${failed.length === 0 ? 'passed' : `failed: vitest ${failed.join(', ')}`}`,
  );
  if (failed.length > 0) process.exitCode = 1;
}
console.log(`\n${closing.join('\n')}`);
