/** Selectors of the queries, and the shapes that several of them have. */

/** Every exporter of the chosen jobs. */
export const FLEET = 'job=~"$job"';

/**
 * For what Prometheus has of other jobs too, `up` and ALERTS: those of jobs that have, or had an hour or a day ago, an exporter.
 * Where all jobs are chosen, $job is any.
 */
export const OF_EXPORTERS = `and on (job) (${['', ' offset 1h', ' offset 1d']
  .map((offset) => `group by (job) (port_exporter_build_info{${FLEET}}${offset})`)
  .join(' or ')})`;

/** The one exporter that is looked at. */
export const HOST = `${FLEET}, instance="$instance"`;

/** Its chosen network namespaces. */
const NETNS = `${HOST}, netns=~"$netns"`;

/** A metric of the chosen namespaces, with more matchers where they are given. */
export function chosen(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${[NETNS, ...matchers].join(', ')}}`;
}

/**
 * The series of `vector` that were highest at any time of the range shown: as many for the whole range, where
 * topk() alone would take as many at each step.
 *
 * @param vector an instant vector whose series come and go: open-ended labels
 */
export function highest(count: number, vector: string): string {
  return `${vector} and topk(${count}, max_over_time((${vector})[$__range:$__interval] @ end()))`;
}

/**
 * By how much counters have grown in the range shown. increase() would leave out what a series began with: a destination has
 * none before it is refused. Counted from 0 after a restart, and where nothing is known of before.
 *
 * @param counter an instant vector selector
 */
export function grown(counter: string): string {
  return `(${counter} - (last_over_time(${counter}[15m] offset $__range) <= ${counter} or 0 * ${counter}))`;
}
