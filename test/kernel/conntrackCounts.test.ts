import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseConntrackStat, readConntrackCounts } from '../../src/kernel/conntrackCounts.ts';

const STAT = `entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
0000000a  00000000 000000ff 00000000 00000000 00000000 00000000 00000000 00000000 00000002 00000003 00000004 00000000  00000000 00000000 00000000 00000000
0000000a  00000000 ffffffff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000  00000000 00000000 00000000 00000000
`;
const CPUS = [
  { found: 255, insert_failed: 2, drop: 3, early_drop: 4 },
  { found: 0xffffffff, insert_failed: 0, drop: 1, early_drop: 0 },
];
const STAT_FILE = 'net/stat/nf_conntrack';
const COUNT = 'sys/net/netfilter/nf_conntrack_count';
const MAX = 'sys/net/netfilter/nf_conntrack_max';

it.each<[string, Readonly<Record<string, string>>, object | undefined]>([
  [
    'all there is',
    { [COUNT]: '11\n', [MAX]: '262144\n', [STAT_FILE]: STAT },
    { entries: 11, limit: 262_144, cpus: CPUS },
  ],
  ['no counters', { [COUNT]: '11\n', [MAX]: '5\n' }, { entries: 11, limit: 5, cpus: undefined }],
  [
    'no sysctls, as in a user namespace before 5.x',
    { [STAT_FILE]: STAT },
    { entries: 10, limit: undefined, cpus: CPUS },
  ],
  ['no limit', { [COUNT]: '0\n', [MAX]: '0\n' }, { entries: 0, limit: undefined, cpus: undefined }],
  ['no conntrack', {}, undefined],
])('of %s', (_, files, expected) => {
  const procfs = mkdtempSync(join(tmpdir(), 'port-exporter-conntrack-'));
  onTestFinished(() => rmSync(procfs, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(procfs, path)), { recursive: true });
    writeFileSync(join(procfs, path), text);
  }
  expect(readConntrackCounts(procfs)).toEqual(expected);
});

it.each([
  ['without a column', 'entries found\n00000001 00000002\n'],
  ['with a line that is cut off', `${STAT}0000000a 00000000\n`],
  ['that is no number', STAT.replace('ffffffff', 'fffffffg')],
])('a table %s is refused with its path', (_, text) => {
  expect(() => parseConntrackStat(text, '/proc/stat')).toThrow(/^\/proc\/stat: expected a column /);
});
