import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logfmtLine } from '../../src/base/logfmt.ts';

describe('a logfmt line', () => {
  it.each([
    [{ a: 'plain', b: 1, c: true, d: null }, 'a=plain b=1 c=true d=null'],
    [{ address: '[::1]:10069' }, 'address=[::1]:10069'],
    [{ empty: '' }, 'empty=""'],
    [{ text: 'two words' }, 'text="two words"'],
    [{ text: 'say "hi"' }, 'text="say \\"hi\\""'],
    [{ text: 'a=b' }, 'text="a=b"'],
    [{ text: 'C:\\' }, 'text="C:\\\\"'],
    [{ text: 'one\ntwo\ttabs' }, 'text="one\\ntwo\\ttabs"'],
    [{ text: '\u001b[31m' }, 'text="\\u001b[31m"'],
    [{ text: '\u009b31m\u007f' }, 'text="\\u009b31m\\u007f"'],
    [{ text: 'a\u2028b\u202e' }, 'text="a\\u2028b\\u202e"'],
    [{ text: 'Grüße' }, 'text=Grüße'],
    [{ left: undefined, right: 1 }, 'right=1'],
    [{ list: [1, 'b'] }, 'list="[1,\\"b\\"]"'],
    [{ 'bad key=': 1, '': 2 }, 'bad_key_=1 _=2'],
  ])('of %j is %s', (fields, line) => {
    expect(logfmtLine(fields)).toBe(line);
  });

  it('holds no control character, whatever the fields', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (fields) => {
        expect(logfmtLine(fields)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
