import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { OPTION_FLAGS } from '../../../src/cli/options.ts';
import { markedTable } from '../../support/markdown.ts';

const PAGE = readFileSync(new URL('../../../deploy/reference/flags.md', import.meta.url), 'utf8');

it('deploy/reference/flags.md lists exactly the flags there are, with their defaults', () => {
  const flags = Object.entries(OPTION_FLAGS)
    .filter(([, flag]) => flag.hidden !== true)
    .map(([name, flag]) => [`--${name}`, flag.isSwitch ? '' : flag.default]);
  const documented = markedTable(PAGE, 'flags').map(([name, fallback]) => [name, fallback]);
  expect(documented.toSorted()).toEqual([...flags, ['--version', ''], ['--help', '']].toSorted());
});
