import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NOT_OURS = new Set(['.git', '.cache', 'coverage', 'dist', 'node_modules']);
const { homepage } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { homepage: string };

const FILES = readdirSync(ROOT, { withFileTypes: true })
  .filter(({ name }) => !NOT_OURS.has(name))
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(ROOT, entry.name), { recursive: true, encoding: 'utf8' }).map((path) =>
          join(entry.name, path),
        )
      : [entry.name],
  );
const PAGES = FILES.filter((path) => path.endsWith('.md'));
/** What has links to pages where the repository can be read. */
const DEPLOYED = FILES.filter((path) => /^deploy\/.*\.(yml|yaml|json)$/.test(path));

describe('Every link leads somewhere', () => {
  it('from more than a few pages', () => {
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'deploy/README.md', 'deploy/runbooks.md']));
  });

  it.each(PAGES)('in %s', (page) => {
    const links = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.filter((link) => !leadsSomewhere(link, page))).toEqual([]);
  });

  it.each(DEPLOYED)('in %s', (file) => {
    const links = read(file)
      .split(`${homepage}/blob/main/`)
      .slice(1)
      .map((rest) => /^[\w./#-]*/.exec(rest)?.[0] ?? '');
    expect(links.filter((link) => !leadsSomewhere(link))).toEqual([]);
  });
});

it.each(PAGES.filter((page) => page.startsWith('deploy/')))(
  '%s is reached from the README by links',
  (page) => {
    expect(reachedFrom('README.md')).toContain(page);
  },
);

describe('The anchor of a heading', () => {
  it.each([
    ['PortExhausted', 'portexhausted'],
    ['TLS and passwords', 'tls-and-passwords'],
    ['`explain [ADDRESS:PORT]`', 'explain-addressport'],
    ['`--json`', '--json'],
    ['[Links](a.md), and *more*', 'links-and-more'],
  ])('of %s', (heading, expected) => {
    expect(anchorOf(heading)).toBe(expected);
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** A page without its code, in which brackets are no links. */
function prose(page: string): string {
  return read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/<!--.*?-->/gs, '');
}

function leadsSomewhere(link: string, from = 'a page at the top'): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : join(dirname(from), path);
  if (target.startsWith('..') || !existsSync(join(ROOT, target))) return false;
  if (anchor === undefined) return true;
  return statSync(join(ROOT, target)).isFile() && anchorsOf(target).has(anchor);
}

function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set(
    [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
      const anchor = anchorOf(heading);
      const before = seen.get(anchor) ?? 0;
      seen.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${before}`;
    }),
  );
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function reachedFrom(start: string): Set<string> {
  const reached = new Set([start]);
  for (const page of reached) {
    for (const [, path = ''] of prose(page).matchAll(/\]\(([^)\s#:]+)(?:#[^)\s]*)?\)/g)) {
      const target = join(dirname(page), path);
      if (PAGES.includes(target)) reached.add(target);
    }
  }
  return reached;
}
