import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/commandLine.ts';
import { looksLikeDaemon } from '../../src/cli/looksLikeDaemon.ts';

describe('a command line looks like that of the daemon', () => {
  it.each([
    [[]],
    [['--web.listen-address=:10069', '--sample.interval=5s']],
    [['--web.listen-address', ':10069']],
    [['--no-such-flag']],
  ])('%j', (argv) => {
    expect(looksLikeDaemon(argv, {})).toBe(true);
  });

  it.each([
    [['--once']],
    [['--once=true']],
    [['--log.level=debug', '--once']],
    [['listeners']],
    [['--path.procfs', 'scan']],
    [['--help']],
    [['--version']],
    [['-h']],
    [['--config.check', '--probe.file=x']],
    [['completion', 'bash']],
  ])('but not %j', (argv) => {
    expect(looksLikeDaemon(argv, {})).toBe(false);
  });

  it('but not where the environment asks for one sample', () => {
    expect(looksLikeDaemon([], { PORT_EXPORTER_ONCE: 'true' })).toBe(false);
  });

  it('but not where the environment asks for a check', () => {
    expect(looksLikeDaemon([], { PORT_EXPORTER_CONFIG_CHECK: '1' })).toBe(false);
  });

  it('never that of a command which needs the privileges of its caller', async () => {
    const help = await parseCommandLine(['--help'], {});
    const commands = help.kind === 'print' ? help.text.matchAll(/^ {2}port-exporter (\w+)/gm) : [];
    const words = [...commands].map(([, word = '']) => word);
    expect(words.length).toBeGreaterThanOrEqual(5);
    for (const word of words) expect(looksLikeDaemon(['--log.level=warn', word], {}), word).toBe(false);
  });
});
