import { describe, expect, it } from 'vitest';
import { parsePromql } from './promql.ts';

describe('What a PromQL expression names', () => {
  it('is its metrics with the labels they are matched by, and the labels it groups and matches by', () => {
    const text =
      'max without (a) (rate(one_total{b="x", c=~"y|z"}[5m] offset 1h)) > 1 and ignoring (d, e) two / on (f) group_left (g) n:three:max{h!=""}';
    expect(parsePromql(text)).toEqual({
      selectors: [
        { metric: 'one_total', labels: ['b', 'c'] },
        { metric: 'two', labels: [] },
        { metric: 'n:three:max', labels: ['h'] },
      ],
      grouping: ['a', 'd', 'e', 'f', 'g'],
    });
  });

  it.each(['', 'sum(', 'a b', 'rate(x[5m)', 'x{y=}'])('is nothing where it is none: %j', (text) => {
    expect(() => parsePromql(text)).toThrow('not PromQL');
  });
});
