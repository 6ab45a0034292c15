import { expect, it } from 'vitest';
import { releaseAtLeast } from '../../src/kernel/release.ts';

it.each([
  ['6.8.0', true],
  ['6.12.9+deb13-amd64', true],
  ['7.0.0-rc1', true],
  ['6.7.12', false],
  ['5.15.0-91-generic', false],
  ['mystery', false],
])('Linux %s is at least 6.8: %s', (version, expected) => {
  expect(releaseAtLeast(version, 6, 8)).toBe(expected);
});
