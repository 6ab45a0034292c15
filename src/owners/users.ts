import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ifReadable } from '../base/ifReadable.ts';
import { printable } from '../base/printable.ts';
import { linesOf, readUpTo } from '../base/readUpTo.ts';

/** Some 300 000 users. */
const FILE_LIMIT = 32 * 1024 * 1024;
const LINES_LIMIT = 400_000;
/** LOGIN_NAME_MAX of Linux is 256, useradd(8) allows 32. */
const NAME_LIMIT = 64;

/** What `<root>/etc/passwd` calls the users. Names from LDAP and the like are not in it. */
export class UserNames {
  readonly #path: string;
  #version: string | undefined;
  #names: ReadonlyMap<number, string> = new Map();

  constructor(root = '/') {
    this.#path = join(root, 'etc/passwd');
    this.refresh();
  }

  /** Reads the file again where it changed. One that is gone or unreadable names nobody. */
  refresh(): void {
    const stats = ifReadable(() => statSync(this.#path));
    const version = stats && [stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join();
    if (version === this.#version) return;
    const bytes = stats?.isFile() ? ifReadable(() => readUpTo(this.#path, FILE_LIMIT)) : undefined;
    // What could not be read is tried again.
    this.#version = bytes === undefined ? undefined : version;
    this.#names = bytes === undefined ? new Map() : parsePasswd(bytes);
  }

  /** The number itself, as text, where the file names nobody. */
  name(uid: number): string {
    return this.#names.get(uid) ?? String(uid);
  }
}

/** passwd(5): `name:password:uid:...`; the first name of a uid counts, as for getpwuid(3). */
export function parsePasswd(bytes: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of linesOf(Buffer.from(bytes).toString('utf8'), LINES_LIMIT)) {
    const [, name, digits] = /^([^:]{1,256}):[^:]*:(\d{1,10})(?=:|\r?$)/.exec(line) ?? [];
    const uid = Number(digits);
    if (name === undefined || /^[#+-]/.test(name) || uid > 0xffff_ffff) continue;
    if (!names.has(uid)) names.set(uid, printable(name, NAME_LIMIT));
  }
  return names;
}
