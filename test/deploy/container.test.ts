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
