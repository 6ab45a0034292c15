import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { environmentVariable } from '../../src/cli/readFlags.ts';

const DEPLOY = new URL('../../deploy/systemd/', import.meta.url);
const text = (name: string) => readFileSync(new URL(name, DEPLOY), 'utf8');

/** With these it is no daemon. */
const NO_DAEMON = ['once', 'config.check'];

describe('deploy/systemd', () => {
  it('lists every variable of the daemon with its default, commented out', () => {
    const flags = Object.entries(OPTION_FLAGS).filter(
      ([name, flag]) => !NO_DAEMON.includes(name) && !flag.hidden,
    );
    const lines = text('port-exporter.env')
      .split('\n')
      .filter((line) => /^#?[A-Z_]+=/.test(line));
    expect(lines).toEqual(flags.map(([name, flag]) => `#${environmentVariable(name)}=${flag.default}`));
  });

  it('sets no variable that is none', () => {
    const known = new Set(Object.keys(OPTION_FLAGS).map(environmentVariable));
    const files = readdirSync(DEPLOY).filter((name) => /\.(service|conf)$/.test(name));
    const set = files.flatMap((name) => [...text(name).matchAll(/\b(PORT_EXPORTER_[A-Z_]+)=/g)]);
    expect(set.length).toBeGreaterThan(0);
    expect(set.map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
  });

  it('is installed by its README, file for file', () => {
    const readme = text('README.md');
    for (const name of readdirSync(DEPLOY)) if (name !== 'README.md') expect(readme).toContain(name);
  });
});
