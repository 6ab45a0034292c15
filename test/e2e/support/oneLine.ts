import { expect } from 'vitest';
import type { Ended } from './program.ts';

/** One line on stderr, nothing on stdout, exit code 1. */
export function expectOneLine({ code, stdout, stderr }: Ended, line: string | RegExp): void {
  expect(stderr).toMatch(/^port-exporter: .+\n$/);
  if (typeof line === 'string') expect(stderr).toBe(`port-exporter: ${line}\n`);
  else expect(stderr.trimEnd().slice('port-exporter: '.length)).toMatch(line);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
}

/** Both ways to run: once, and as a daemon that says nothing but errors. */
export const BOTH = [['--once'], ['--log.level=error', '--web.listen-address=127.0.0.1:0']] as const;
