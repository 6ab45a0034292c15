import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ExporterError } from '../../base/errors.ts';

/** A file that the page's HTML refers to. */
export interface Asset {
  /** Absolute, and the same whatever it holds. */
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
  /** Changes with the text. */
  readonly hash: string;
}

export type Assets = Readonly<Record<'style' | 'icon' | 'morph' | 'refresh', Asset>>;

/** Everything the page needs from elsewhere than its HTML; of the build, where the script is JavaScript. */
export function loadAssets(): Assets {
  const morph = createRequire(import.meta.url).resolve('idiomorph/dist/idiomorph.min.js');
  return {
    style: load('style.css', 'text/css', new URL('./style.css', import.meta.url)),
    icon: load('icon.svg', 'image/svg+xml', new URL('./icon.svg', import.meta.url)),
    morph: load('morph.js', 'text/javascript', morph),
    refresh: load('refresh.js', 'text/javascript', new URL('./browser/refresh.js', import.meta.url)),
  };
}

/** Relative to the page; what holds something else has another, so that a browser may keep it for ever. */
export function assetUrl({ path, hash }: Asset): string {
  return `.${path}?v=${hash}`;
}

export function newAsset(fileName: string, type: string, text: string): Asset {
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 16);
  return { path: `/-/page/${fileName}`, contentType: `${type}; charset=utf-8`, text, hash };
}

function load(fileName: string, type: string, file: URL | string): Asset {
  try {
    return newAsset(fileName, type, readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ExporterError(`reading the status page's ${fileName}; --no-web.page disables it`, { cause });
  }
}
