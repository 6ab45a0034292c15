import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseProcessCgroup } from '../../src/owners/processCgroup.ts';

it.each([
  ['v2 alone', '0::/system.slice/nginx.service\n', '/system.slice/nginx.service'],
  ['v2 beside v1', '9:name=systemd:/a\n1:cpu:/b\n0::/c\n', '/c'],
  ['v1 alone: the one of systemd', '2:cpu,cpuacct:/a\n1:name=systemd:/docker/b\n', '/docker/b'],
  ['a hybrid host whose runtime knows v1 alone', '1:name=systemd:/docker/b\n0::/\n', '/docker/b'],
  ['the root of both', '1:name=systemd:/\n0::/\n', '/'],
  ['the root of v2', '0::/\n', '/'],
  ['v1 without systemd', '2:cpu:/a\n', undefined],
  ['a path with colons', '0::/a.slice:cri-containerd:b\n', '/a.slice:cri-containerd:b'],
  ['a removed one', '0::/a (deleted)\n', '/a (deleted)'],
  ['nothing', '', undefined],
  ['no newline at the end', '0::/a', '/a'],
])('%s', (_, text, path) => expect(parseProcessCgroup(text)).toBe(path));

it('of any text makes a path or nothing', () => {
  const line = fc.tuple(fc.nat(12), fc.constantFrom('', 'cpu', 'name=systemd', '::'), fc.string());
  const lines = fc
    .array(line)
    .map((all) => all.map(([id, name, path]) => `${id}:${name}:/${path}`).join('\n'));
  fc.assert(
    fc.property(fc.oneof(fc.string(), lines), (text) => {
      const path = parseProcessCgroup(text);
      expect(path === undefined || (path.startsWith('/') && text.includes(path))).toBe(true);
    }),
  );
});
