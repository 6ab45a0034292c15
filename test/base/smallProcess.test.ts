import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { smallEnvironment, smallExecArgv } from '../../src/base/smallProcess.ts';

describe('a small process', () => {
  it('has a young generation of few megabytes', () => {
    // Objects that survive have it grow.
    const program = `
      const kept = [];
      for (let i = 0; i < 1e6; i++) kept.push({ i });
      console.log(v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size);`;
    const grown = (args: readonly string[]) =>
      Number(spawnSync(process.execPath, [...args, '-e', program], { encoding: 'utf8', env: {} }).stdout);
    expect(grown(smallExecArgv([], {}))).toBeLessThan(4 * 2 ** 20);
    expect(grown([])).toBeGreaterThan(8 * 2 ** 20);
  });

  it('is started with the arguments of the one that starts it', () => {
    expect(smallExecArgv(['--enable-source-maps'], {})).toEqual([
      '--max-semi-space-size=1',
      '--enable-source-maps',
    ]);
  });

  it('starts another with the same', () => {
    const once = smallExecArgv([], {});
    expect(smallExecArgv(once, {})).toEqual(once);
  });

  it.each([
    ['an argument', ['--max-semi-space-size=8'], {}],
    ['NODE_OPTIONS', [], { NODE_OPTIONS: '--max-semi-space-size=8' }],
  ])('leaves alone what the user says by %s', (_, execArgv, env) => {
    expect(smallExecArgv(execArgv, env)).toEqual(execArgv);
  });

  it('has one heap of glibc, unless the user says otherwise', () => {
    expect(smallEnvironment({ A: 'b' })).toEqual({ A: 'b', MALLOC_ARENA_MAX: '1' });
    expect(smallEnvironment({ MALLOC_ARENA_MAX: '4' })).toEqual({ MALLOC_ARENA_MAX: '4' });
  });
});
