import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { run } from './support/program.ts';

const directory = mkdtempSync(join(tmpdir(), 'port-exporter-completion-'));
afterAll(() => rmSync(directory, { recursive: true }));
const script = (shell: string) => join(directory, shell);

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout, stderr } = await run(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    writeFileSync(script(shell), stdout);
  }
  for (const name of ['web.yml', 'web page.yml']) writeFileSync(join(directory, name), '');
}, 60_000);

/** What a shell offers for the last word, and what it does not. */
const CASES: readonly (readonly [line: string, offered: readonly string[], not?: string])[] = [
  ['port-exporter li', ['listeners']],
  ['port-exporter comp', ['completion']],
  ['port-exporter completion ', ['bash', 'zsh', 'fish']],
  ['port-exporter --web.conf', ['--web.config.file']],
  ['port-exporter --debug.', [], '--debug.record'],
  ['port-exporter --log.level ', ['debug', 'info', 'warn', 'error']],
  ['port-exporter --log.level e', ['error'], 'debug'],
  ['port-exporter --log.level debug sc', ['scan']],
  ['port-exporter listeners --so', ['--sort']],
  ['port-exporter listeners --web.', [], '--web.config.file'],
  ['port-exporter listeners --sort pr', ['proto', 'process'], 'port'],
  ['port-exporter destinations --sort t', ['to', 'time-wait'], 'from'],
  ['port-exporter destinations d', ['dport', 'dst'], 'sport'],
  [`port-exporter --web.config.file ${directory}/web`, [`${directory}/web.yml`, `${directory}/web page.yml`]],
];

describe('a shell completes words that the program takes', () => {
  /** With COMP_WORDS as readline splits a line: `=` is a word of its own. */
  function inBash(line: string): string[] {
    const words = line.split(' ').flatMap((word) => word.split(/(=)/).filter((part) => part !== ''));
    if (line.endsWith(' ')) words.push('');
    const commands = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _port_exporter; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['--norc', '-c', commands, 'bash', script('bash'), ...words], {
      encoding: 'utf8',
    });
    return output.split('\n').filter((word) => word !== '');
  }

  function inFish(line: string): string[] {
    const commands = 'source $argv[1]; complete -C $argv[2]';
    const output = execFileSync('fish', ['--no-config', '-c', commands, script('fish'), line], {
      encoding: 'utf8',
      env: { ...process.env, HOME: directory },
    });
    return output.split('\n').flatMap((row) => row.split('\t')[0]?.replaceAll('\\ ', ' ') || []);
  }

  for (const [shell, complete] of [
    ['bash', inBash],
    ['fish', inFish],
  ] as const) {
    for (const [line, offered, not] of CASES) {
      itNeeding(missingTool(shell), `${shell}: ${line.replace(directory, '')}`, () => {
        const words = complete(line);
        expect(words).toEqual(expect.arrayContaining([...offered]));
        if (not !== undefined) expect(words).not.toContain(not);
      });
    }
  }

  itNeeding(missingTool('bash'), 'bash: a value behind =', () => {
    expect(inBash('port-exporter --log.level=de')).toEqual(['debug']);
    expect(inBash('port-exporter --log.level=')).toEqual(['debug', 'info', 'warn', 'error']);
    expect(inBash('port-exporter --web.listen-address=:1 prob')).toEqual(['probe']);
  });

  itNeeding(missingTool('bash'), 'bash: every flag that --help shows', async () => {
    const offered = inBash('port-exporter --');
    const shown = Object.entries(OPTION_FLAGS).filter(([, { hidden }]) => hidden !== true);
    expect(offered.toSorted()).toEqual(
      [...shown.map(([name]) => `--${name}`), '--help', '--version'].toSorted(),
    );
  });

  // A terminal of its own, in which Tab is pressed.
  itNeeding(missingTool('zsh'), 'zsh: a command, a flag and a value', () => {
    const session = [
      'zmodload zsh/zpty; zpty z zsh -f -i',
      // In one line: what is typed while it runs may be lost.
      `zpty -w z 'PS1=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ${script('zsh')}; print -r RE""ADY'`,
      "zpty -r z out '*READY*'",
      "for line in 'destinations dp' list 'listeners --so' '--log.level=de'; do",
      // What is typed is echoed, so only the output has these words in one piece.
      `  zpty -w -n z "port-exporter $line"$'\\t\\C-aprint -r -- ST""ART \\C-e D""ONE\\n'`,
      "  zpty -r z out '*DONE*'; print -r -- $out",
      'done; zpty -d z',
    ].join('\n');
    const output = execFileSync('zsh', ['-f', '-c', session], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: directory, TERM: 'xterm' },
      timeout: 30_000,
    });
    const printed = [...output.matchAll(/START port-exporter (.*?) +DONE/g)].map(([, words]) => words);
    expect(printed).toEqual(['destinations dport', 'listeners', 'listeners --sort', '--log.level=debug']);
  });
});
