import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { parsePasswd, UserNames } from '../../src/owners/users.ts';
import { cpuMs } from '../support/cpu.ts';

const FIXTURE = new URL('../fixtures/owners/passwd', import.meta.url).pathname;

describe('/etc/passwd', () => {
  let root: string;
  let path: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'port-exporter-users-'));
    mkdirSync(join(root, 'etc'));
    path = join(root, 'etc/passwd');
    cpSync(FIXTURE, path);
    return () => rmSync(root, { recursive: true });
  });

  it.each([
    [0, 'root'],
    [33, 'www-data'],
    [27, 'mysql'],
    [28, 'short'],
    [4_294_967_295, 'max'],
    [1001, 'Fran\u00e7ois'],
    [1002, 'broken\ufffd\ufffd'],
    [1003, 'esc\\u001b[31m'],
    [1004, 'with blank'],
    [1006, `${'m'.repeat(63)}\u2026`],
    [65_534, 'nobody'],
  ])('calls user %i %s', (uid, name) => {
    expect(new UserNames(root).name(uid)).toBe(name);
  });

  it.each([5, 77, 1, 1005, 1007, 4242])('shows the number of user %i, whom it does not name', (uid) => {
    expect(new UserNames(root).name(uid)).toBe(String(uid));
  });

  it('is read again when it changed, and not before', () => {
    const users = new UserNames(root);
    writeFileSync(path, 'admin:x:0:0:::\n');
    utimesSync(path, 1, 1);
    expect(users.name(0)).toBe('root');
    users.refresh();
    expect(users.name(0)).toBe('admin');
    expect(users.name(33)).toBe('33');
  });

  it('is read again when another file took its place', () => {
    const users = new UserNames(root);
    writeFileSync(`${path}+`, 'admin:x:0:0:::\n');
    renameSync(`${path}+`, path);
    users.refresh();
    expect(users.name(0)).toBe('admin');
  });

  it('may be missing, come and go', () => {
    rmSync(path);
    const users = new UserNames(root);
    expect(users.name(0)).toBe('0');
    writeFileSync(path, 'admin:x:0:0:::\n');
    users.refresh();
    expect(users.name(0)).toBe('admin');
    rmSync(path);
    users.refresh();
    expect(users.name(0)).toBe('0');
  });

  it('is not a directory', () => {
    rmSync(path);
    mkdirSync(path);
    expect(new UserNames(root).name(0)).toBe('0');
  });
});

it('survives any bytes, and gives out printable names only', () => {
  const field = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.integer().map((n) => Buffer.from(String(n))),
  );
  const line = fc
    .array(field, { maxLength: 7 })
    .map((fields) => Buffer.concat(fields.flatMap((f) => [f, Buffer.from(':')])));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 9 }), (lines) => {
      for (const [uid, name] of parsePasswd(Buffer.concat(lines.flatMap((l) => [l, Buffer.from('\n')])))) {
        expect(uid).toBeGreaterThanOrEqual(0);
        expect(uid).toBeLessThanOrEqual(0xffff_ffff);
        expect(name).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,64}$/u);
      }
    }),
  );
});

it('reads no more lines than there may be users', () => {
  const short = Buffer.from(`${'\n'.repeat(100_000)}near::1:\n`);
  const long = Buffer.from(`first::0:${'\n'.repeat(30_000_000)}far::1:\n`);
  expect(parsePasswd(short).get(1)).toBe('near');
  expect(cpuMs(() => expect([...parsePasswd(long)]).toEqual([[0, 'first']]))).toBeLessThan(1000);
});
