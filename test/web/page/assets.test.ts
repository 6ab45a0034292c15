import { describe, expect, it } from 'vitest';
import { newAsset } from '../../../src/web/page/assets.ts';

describe('an asset', () => {
  it('has another address once it holds something else', () => {
    expect(newAsset('a.css', 'text/css', 'a').hash).not.toBe(newAsset('a.css', 'text/css', 'b').hash);
  });
});
