import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shellCommand, shellWord } from '../../src/base/shell.ts';

it('a word is quoted where it must be, of a setting the value alone', () => {
  expect(shellWord('203.0.113.7:443')).toBe('203.0.113.7:443');
  expect(shellWord('[::1]:443')).toBe("'[::1]:443'");
  expect(shellWord('net.ipv4.ip_local_port_range=1024 65535')).toBe(
    "net.ipv4.ip_local_port_range='1024 65535'",
  );
  expect(shellWord('--netns=net:[1]')).toBe("--netns='net:[1]'");
  expect(shellWord('')).toBe("''");
  expect(shellWord("it's")).toBe("'it'\\''s'");
});

it('a shell reads the words as they were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary-ascii' }).map((text) => text.replaceAll('\0', ''))),
      (words) => {
        const script = `for word in ${shellCommand(words)}; do printf '%s\\0' "$word"; done`;
        const read = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
        expect(read).toEqual(words);
      },
    ),
    { numRuns: 30 },
  );
});
