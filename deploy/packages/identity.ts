import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
  readonly homepage: string;
  readonly license: string;
};

export const { version: VERSION, homepage: HOMEPAGE, license: LICENSE } = manifest;
export const SUMMARY = 'Prometheus exporter for ephemeral port exhaustion';
export const MAINTAINER = 'The port-exporter authors <port-exporter@users.noreply.github.com>';
