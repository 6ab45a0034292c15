import { execFileSync, spawnSync } from 'node:child_process';
import { it } from 'vitest';

/**
 * A test that needs something of the machine: skipped by name without it, and where CI is true a failure.
 *
 * @param missing what is missing; undefined where nothing is
 */
export function itNeeding(
  missing: string | undefined,
  name: string,
  define: () => unknown,
  timeoutMs?: number,
): void {
  if (missing === undefined || process.env['CI'] === 'true') it(name, define, timeoutMs);
  else it.skip(`${name} (skipped: ${missing})`, define);
}

/** Why `tool` cannot be used here. */
export function missingTool(tool: string, ask = '--version'): string | undefined {
  try {
    execFileSync(tool, [ask], { stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Why `command`, which knows no `--version`, cannot be used here. */
export function missingCommand(command: string): string | undefined {
  const { error } = spawnSync(command, { stdio: 'ignore' });
  return error === undefined ? undefined : String(error);
}

/** Who is nobody on every Linux. */
export const NOBODY = 65_534;

/** Why no program can be run as nobody here. */
export const missingNobody = tryNobody();

function tryNobody(): string | undefined {
  try {
    execFileSync(
      process.execPath,
      ['-e', 'require("node:fs").readdirSync(process.argv[1])', import.meta.dirname],
      {
        uid: NOBODY,
        gid: NOBODY,
        stdio: 'ignore',
      },
    );
    return undefined;
  } catch (error) {
    return `nothing runs as another user: ${error}`;
  }
}
