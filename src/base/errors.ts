import { getSystemErrorMap } from 'node:util';

/**
 * A failure the user can act on. Its message is one line: which operation, on what, and what came back.
 * Everything else that is thrown is a defect of the exporter.
 */
export class ExporterError extends Error {
  override readonly name: string = 'ExporterError';
}

/** A system call that the kernel refused. `code` is the errno by name, `EACCES`. */
export class KernelError extends ExporterError {
  override readonly name = 'KernelError';
  readonly code: string;

  /** @param errno a positive error number as in errno(3); `what` is the operation and its object, `bind() of a netlink socket`. */
  constructor(what: string, errno: number) {
    const [code, words] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${what}: ${words} (${code})`);
    this.code = code;
  }
}

/** The refusal of a text that the user gave. */
export function invalidValue(text: string, expected: string): ExporterError {
  return new ExporterError(`invalid value ${JSON.stringify(text)}: expected ${expected}`);
}

/** The one line to show for anything thrown: the message, and that of its cause where there is one. */
export function errorLine(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const line = thrown.message.replaceAll(/\s*\n\s*/g, ' ');
  return thrown.cause === undefined ? line : `${line}: ${errorLine(thrown.cause)}`;
}

/** For a person, what a `node:fs` or FFI call threw: `no such file or directory (ENOENT)`. Anything else is an errorLine. */
export function failureText(thrown: unknown): string {
  const code = errorCode(thrown);
  return code === undefined ? errorLine(thrown) : errnoInWords(code);
}

/** `ENOENT` → `no such file or directory (ENOENT)`; a name that is no errno's is returned as it is. */
export function errnoInWords(code: string): string {
  const words = [...getSystemErrorMap().values()].find(([name]) => name === code)?.[1];
  return words === undefined ? code : `${words} (${code})`;
}

/** The errno by name of what a `node:fs` or FFI call threw, `ENOENT`; undefined for anything else. */
export function errorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
