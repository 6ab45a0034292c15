import { parser } from '@prometheus-io/lezer-promql';

/** What a PromQL expression names. */
export interface Query {
  /** Metrics and recorded series, each with the labels that its matchers look at. */
  readonly selectors: readonly Selector[];
  /** Labels in by(), without(), on(), ignoring() and group_left(). */
  readonly grouping: readonly string[];
}

export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** Parses one expression with Prometheus's own grammar. Throws on what that does not take. */
export function parsePromql(text: string): Query {
  const selectors: { metric: string; labels: string[] }[] = [];
  const grouping: string[] = [];
  let isMatching = false;
  parser.parse(text).iterate({
    enter({ name, type, from, to }) {
      const words = text.slice(from, to);
      if (type.isError) throw new Error(`not PromQL at "${text.slice(from, from + 20)}": ${text}`);
      if (name === 'VectorSelector') selectors.push({ metric: '', labels: [] });
      if (name === 'LabelMatchers') isMatching = true;
      const selector = selectors.at(-1);
      if (name === 'Identifier' && selector !== undefined) selector.metric = words;
      if (name === 'LabelName') (isMatching ? selector?.labels : grouping)?.push(words);
    },
    leave({ name }) {
      if (name === 'LabelMatchers') isMatching = false;
    },
  });
  return { selectors, grouping };
}
