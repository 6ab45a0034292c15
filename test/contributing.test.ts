import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const text = (relative: string) => readFileSync(path(relative), 'utf8');
const CONTRIBUTING = text('.github/CONTRIBUTING.md');
const MANIFEST = JSON.parse(text('package.json')) as {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
};

it('.nvmrc is the oldest Node.js that package.json allows', () => {
  expect(MANIFEST.engines.node).toBe(`>=${text('.nvmrc').trim()}`);
  expect(CONTRIBUTING).toContain(`Node.js ≥ ${text('.nvmrc').trim()} `);
});

it('CONTRIBUTING.md names files and folders that are there', () => {
  const named = [...CONTRIBUTING.matchAll(/(?<=[`\s])(?:src|test|deploy|\.ci)\/[\w./-]*/g)].map(String);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !existsSync(path(name)))).toEqual([]);
});

it('every script that a page names is there', () => {
  const { scripts } = MANIFEST;
  const pages = ['README.md', '.github/CONTRIBUTING.md', '.github/ARCHITECTURE.md'];
  const named = pages.flatMap((page) =>
    [...text(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

it('the bug form asks for the kernel and for what explain says', () => {
  const { body } = parse(text('.github/ISSUE_TEMPLATE/bug.yml')) as {
    readonly body: readonly {
      readonly attributes: { readonly label?: string };
      readonly validations?: { readonly required?: boolean };
    }[];
  };
  const required = body
    .filter(({ validations }) => validations?.required)
    .map(({ attributes }) => attributes.label);
  expect(required).toEqual(expect.arrayContaining(['uname -r', 'port-exporter explain --json']));
});

describe('CHANGELOG.md', () => {
  const CHANGELOG = text('.github/CHANGELOG.md');

  it('has what is not released, and this version', () => {
    const versions = [...CHANGELOG.matchAll(/^## (\S+)/gm)].map(([, version]) => version);
    expect(versions).toEqual(expect.arrayContaining(['Unreleased', MANIFEST.version]));
    expect(versions.length).toBe(new Set(versions).size);
  });

  it('labels every entry', () => {
    const entries = [...CHANGELOG.matchAll(/^[-*] .*$/gm)].map(String);
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.filter((entry) => !/^- \[(CHANGE|FEATURE|BUGFIX)\] \S/.test(entry))).toEqual([]);
  });
});
