import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { errorLine } from '../../../src/base/errors.ts';
import { FileReader } from '../../../src/base/fileReader.ts';
import { loadWebConfig } from '../../../src/web/config/loadWebConfig.ts';
import { itNeeding, missingTool } from '../../e2e/support/needs.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import { DIFFERENCES, LOOK_ALIKES, makeCertificates, TOOLKIT_FILES } from './toolkitFiles.ts';

const missing = missingTool('openssl', 'version');

let directory: string;
beforeAll(() => {
  if (missing !== undefined) return;
  directory = newDirectory();
  makeCertificates(directory);
});

/** `accepted`, or the line that refuses it behind the file's name. */
async function verdict(yaml: string | undefined): Promise<string> {
  const file = join(yaml === undefined ? '/nonexistent' : directory, 'web.yml');
  if (yaml !== undefined) writeFileSync(file, yaml);
  return await loadWebConfig(file, new FileReader()).then(
    () => 'accepted',
    (error: unknown) => errorLine(error).replace(/^.*?web\.yml: ?/, ''),
  );
}

describe('a file of exporter-toolkit is', () => {
  for (const { what, yaml, refused } of TOOLKIT_FILES) {
    itNeeding(missing, `${refused === undefined ? 'accepted' : 'refused in one line'}: ${what}`, async () => {
      if (refused === undefined) expect(await verdict(yaml)).toBe('accepted');
      else expect(await verdict(yaml)).toMatch(refused);
    });
  }

  itNeeding(missing, 'understood as there: header values are the text that stands in the file', async () => {
    const file = join(directory, 'headers.yml');
    writeFileSync(file, LOOK_ALIKES);
    expect((await loadWebConfig(file, new FileReader())).headers).toEqual({
      'Content-Security-Policy': '1.50',
      'Strict-Transport-Security': 'True',
      'X-XSS-Protection': '0',
    });
  });
});

describe('where the exporter is of another mind than exporter-toolkit', () => {
  const differs = TOOLKIT_FILES.filter(
    ({ toolkit, refused }) => (toolkit === 'accepts') !== (refused === undefined),
  );

  it.each(differs)('there is a reason: $what', ({ difference }) => {
    expect(difference).toBeDefined();
  });

  it('every reason is a row of the table in deploy/reference/web.md, and every row is one', () => {
    const page = readFileSync(new URL('../../../deploy/reference/web.md', import.meta.url), 'utf8');
    const [, table = ''] = /^\| web configuration file \|.*\n\|[-|]*\|\n((?:\|.*\n)+)/m.exec(page) ?? [];
    const rows = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, first]) => first);
    expect(rows).toEqual(Object.values(DIFFERENCES));
  });

  it('every reason has a file', () => {
    const told = new Set(
      TOOLKIT_FILES.map(({ difference }) => difference).filter((one) => one !== undefined),
    );
    expect([...told].toSorted()).toEqual(Object.keys(DIFFERENCES).toSorted());
  });
});
