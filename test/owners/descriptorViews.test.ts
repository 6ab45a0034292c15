import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDescriptorInfo, whyDescriptorsDenied } from '../../src/owners/descriptorViews.ts';

const parse = (text: string) => parseDescriptorInfo(Buffer.from(text));

describe('what /proc/<pid>/fdinfo says of a descriptor', () => {
  it('is its mount and its inode', () => {
    expect(parse('pos:\t0\nflags:\t02004002\nmnt_id:\t9\nino:\t32211\nscm_fds: 0\n')).toEqual({
      mount: 9,
      inode: 32_211,
    });
  });

  it('is no inode before Linux 5.14', () => {
    expect(parse('pos:\t0\nflags:\t02004002\nmnt_id:\t9\n')).toEqual({ mount: 9, inode: undefined });
  });

  it('is not what a kind of file adds in other words', () => {
    expect(parse('pos:\t0\ninotify wd:1 ino:12 sdev:34\ntfd: 5 ino:7\n')).toEqual({
      mount: undefined,
      inode: undefined,
    });
  });

  it('is there for a descriptor of this process', () => {
    const { mount } = parseDescriptorInfo(readFileSync('/proc/self/fdinfo/0'));
    expect(mount).toBeGreaterThan(0);
  });
});

describe('what descriptors are denied for', () => {
  const lacking = 'CapEff:\t0000000000000000\n';
  const tracing = 'CapEff:\t0000000000080000\n';

  it('is one capability since Linux 5.14, and two before', () => {
    expect(whyDescriptorsDenied('6.12.9+deb13-amd64', lacking)).toBe('needs CAP_SYS_PTRACE');
    expect(whyDescriptorsDenied('5.14.0', tracing)).toMatch(/^denied although CAP_SYS_PTRACE is held /);
    expect(whyDescriptorsDenied('5.13.19', lacking)).toBe('needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH');
    expect(whyDescriptorsDenied('5.10.0-28-amd64', tracing)).toBe('needs CAP_DAC_READ_SEARCH');
  });
});
