import { html } from 'hono/html';
import type { Status } from '../../status/status.ts';
import { Packed } from '../packed.ts';
import { type Assets, assetUrl } from './assets.ts';
import { type PageFrame, statusDocument } from './document.ts';
import { PageCache } from './pageCache.ts';

/** The status page at `/`. */
export interface StatusPage {
  readonly assets: Assets;
  /**
   * The whole document; undefined where there is no time to make it now.
   *
   * @param netns which namespace is shown in full; undefined for the worst
   * @param client who asks
   */
  render(netns: string | undefined, client: string): Promise<Packed | undefined>;
}

export interface StatusPageOptions extends Omit<PageFrame, 'assets' | 'build'> {
  readonly assets: Assets;
  status(netns: string | undefined): Status;
  /** Whether a page of this namespace says more than that it is not there. */
  knows(netns: string): boolean;
}

/** Stands for any namespace that is not known: a name that none has. */
const NOBODY = '\u{10fffd}';

export function createStatusPage({ assets, status, knows, ...rest }: StatusPageOptions): StatusPage {
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
  const pages = new PageCache<string | undefined>((netns) => statusDocument(status(netns), frame), undefined);
  return {
    assets,
    async render(netns, client) {
      if (netns === undefined || knows(netns)) return await pages.get(netns, client);
      // Whatever strangers make up costs one page.
      const page = await pages.get(NOBODY, client);
      return page && new Packed(page.text.replaceAll(NOBODY, () => String(html`${netns}`)));
    },
  };
}
