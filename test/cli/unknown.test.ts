import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { parseCommandLine } from '../../src/cli/commandLine.ts';
import { OPTION_FLAGS } from '../../src/cli/options.ts';

describe('what nobody knows is shown as it was typed, with what may be meant', () => {
  it.each([
    [['--web.listen-adress=:1'], 'unknown flag --web.listen-adress, did you mean --web.listen-address?'],
    [['--web.listen-adress', ':1'], 'unknown flag --web.listen-adress, did you mean --web.listen-address?'],
    [['-web.listen-address=:1'], 'unknown flag -web.listen-address, did you mean --web.listen-address?'],
    [['-path.procfs', '/proc'], 'unknown flag -path.procfs, did you mean --path.procfs?'],
    [['--hepp'], 'unknown flag --hepp, did you mean --help?'],
    [['--deep'], 'unknown flag --deep; see --help'],
    [['-x'], 'unknown flag -x; see --help'],
    [['--frobnicate'], 'unknown flag --frobnicate; see --help'],
    [['--web.page'], 'unknown flag --web.page, did you mean --no-web.page?'],
    [['--debug.recrod=x'], 'unknown flag --debug.recrod; see --help'],
    [['listeners', '--sorted=x'], 'unknown flag --sorted, did you mean --sort?'],
    [['probe', 'a', '1', '--timout=1s'], 'unknown flag --timout, did you mean --timeout?'],
    [['listeners', '--web.listen-address=:1'], 'unknown flag --web.listen-address; see --help'],
    [['listners'], 'unknown command listners, did you mean listeners?'],
    [['serve'], 'unknown command serve; see --help'],
    [['--', 'scan'], 'unexpected argument scan; see --help'],
    [['scan', 'localhost', 'other'], 'unexpected argument other; see --help'],
    [['listeners', '--json=3'], '--json: takes no value; see --help'],
  ])('%j', async (argv, line) => {
    await expect(parseCommandLine(argv, {})).rejects.toThrow(new ExporterError(line));
  });

  it('any flag with one letter less is recognised', async () => {
    for (const [name, { hidden }] of Object.entries(OPTION_FLAGS)) {
      const typed = `--${name.slice(0, -1)}`;
      const line = hidden === true ? /^unknown flag/ : new RegExp(`^unknown flag ${typed}, did you mean --`);
      await expect(parseCommandLine([typed, 'x'], {}), typed).rejects.toThrow(line);
    }
  });
});
