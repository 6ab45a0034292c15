import type { Status } from '../../status/status.ts';
import { type Assets, assetUrl } from './assets.ts';
import { type PageFrame, statusDocument } from './document.ts';

/** The status page at `/`. */
export interface StatusPage {
  readonly assets: Assets;
  /** The whole document. `netns`: which namespace is shown in full; undefined for the worst. */
  render(netns: string | undefined): string;
}

/** With hundreds of namespaces a page takes 20 ms: however many ask for it, scrapes do not wait for that. */
const SAME_FOR_MS = 250;

export interface StatusPageOptions extends Omit<PageFrame, 'assets' | 'build'> {
  readonly assets: Assets;
  status(netns: string | undefined): Status;
}

export function createStatusPage({ assets, status, ...rest }: StatusPageOptions): StatusPage {
  const { style, icon, morph, refresh } = assets;
  const frame: PageFrame = {
    ...rest,
    build: [style, icon, morph, refresh].map(({ hash }) => hash).join('.'),
    assets: {
      style: assetUrl(style),
      icon: assetUrl(icon),
      morph: assetUrl(morph),
      refresh: assetUrl(refresh),
    },
  };
  let last: { readonly netns: string | undefined; readonly html: string; readonly atMs: number } | undefined;
  return {
    assets,
    render(netns) {
      const atMs = performance.now();
      if (last === undefined || last.netns !== netns || atMs - last.atMs >= SAME_FOR_MS)
        last = { netns, html: statusDocument(status(netns), frame), atMs };
      return last.html;
    },
  };
}
