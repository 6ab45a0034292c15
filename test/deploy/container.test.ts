import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { OPTION_FLAGS } from '../../src/cli/options.ts';

const DOCKERFILE = readFileSync(
  fileURLToPath(new URL('../../deploy/container/Dockerfile', import.meta.url)),
  'utf8',
);

/** What `npm run test:image` would find only after minutes. */
describe('deploy/container/Dockerfile', () => {
  it('is of this version', () => {
    expect(DOCKERFILE).toContain(`ARG VERSION=${VERSION}\n`);
    expect(DOCKERFILE).toContain(`--tag port-exporter:${VERSION} .`);
  });

  it('builds and runs on the same Node and the same Debian', () => {
    const built = /^FROM node:(\d+)-(\w+)-slim AS npm$/m.exec(DOCKERFILE);
    const run = /^FROM gcr\.io\/distroless\/nodejs(\d+)-debian(\d+):nonroot$/m.exec(DOCKERFILE);
    expect(run?.[1]).toBe(built?.[1]);
    const releases: Record<string, string> = { bookworm: '12', trixie: '13', forky: '14' };
    expect(run?.[2]).toBe(releases[built?.[2] ?? '']);
    expect(DOCKERFILE).toContain(`base.name="${run?.[0].replace('FROM ', '')}"`);
    expect([...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)).toEqual([
      ...[expect.stringMatching(/^node:/), 'npm', 'npm'],
      expect.stringMatching(/distroless/),
    ]);
  });

  it('installs and ships nothing but what the program runs with, and lists what it is made of', () => {
    const stages = DOCKERFILE.split(/^FROM /m);
    const modules = stages.find((stage) => stage.startsWith('npm AS modules\n'));
    expect(modules).toMatch(/npm ci --omit=dev /);
    expect(stages.find((stage) => stage.startsWith('npm AS build\n'))).toMatch(
      /npm run build .*npm run sbom\n/,
    );
    expect(DOCKERFILE.match(/^COPY .*node_modules.*$/gm)).toEqual([
      'COPY --from=modules /port-exporter/node_modules /image/app/node_modules',
    ]);
  });

  it('is labelled as the OCI image specification names labels', () => {
    const { license, homepage, name } = JSON.parse(
      readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
    );
    const labels = [...DOCKERFILE.matchAll(/org\.opencontainers\.image\.([\w.]+)="([^"]*)"/g)];
    expect(Object.fromEntries(labels.map(([, label, value]) => [label, value]))).toEqual({
      ...{ title: name, licenses: license, url: homepage, source: homepage },
      description: expect.stringContaining('ephemeral port exhaustion'),
      documentation: `${homepage}/blob/main/deploy/container/README.md`,
      'base.name': expect.any(String),
      ...{ version: '$VERSION', revision: '$REVISION', created: '$CREATED' },
    });
  });

  it('exposes the port that is listened on', () => {
    const [{ port }] = OPTION_FLAGS['web.listen-address'].fromText(
      OPTION_FLAGS['web.listen-address'].default,
    ) as [{ port: number }];
    expect(DOCKERFILE).toContain(`EXPOSE ${port}\n`);
  });

  it('ends as a user that is not root, given by number', () => {
    expect([...DOCKERFILE.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)).toEqual(['65532:65532']);
  });
});
