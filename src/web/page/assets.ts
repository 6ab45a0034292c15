import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ExporterError } from '../../base/errors.ts';
import { ownFile } from '../../base/ownFiles.ts';

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

/** Everything the page needs from elsewhere than its HTML; of the build, where the scripts are JavaScript. */
export function loadAssets(): Assets {
  return {
    style: load('style.css', 'text/css'),
    icon: load('icon.svg', 'image/svg+xml'),
    morph: load('morph.js', 'text/javascript'),
    refresh: load('refresh.js', 'text/javascript'),
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

function load(fileName: string, type: string): Asset {
  try {
    return newAsset(fileName, type, readFileSync(ownFile(`web/page/${fileName}`), 'utf8'));
  } catch (cause) {
    throw new ExporterError(`reading the status page's ${fileName}; --no-web.page disables it`, { cause });
  }
}
