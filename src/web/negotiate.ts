import { type Accept, parseAccept } from 'hono/utils/accept';

/** Prometheus text format 0.0.4, or OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

/**
 * The format a scraper prefers by its `Accept` header. OpenMetrics is for those who name it: text is the answer to no
 * header, to wildcards alone, and to a header that asks for neither, as Prometheus's own libraries do.
 */
export function chooseFormat(accept: string | undefined): ExpositionFormat {
  const ranges = parse(accept);
  const openmetrics = quality(
    ranges.filter(
      ({ type, params }) => type === 'application/openmetrics-text' && isVersion(params, '1.0.0'),
    ),
  );
  const text =
    quality(ranges.filter(({ type, params }) => type === 'text/plain' && isVersion(params, '0.0.4'))) ??
    quality(ranges.filter(({ type }) => type === 'text/*')) ??
    quality(ranges.filter(({ type }) => type === '*/*')) ??
    0;
  return openmetrics !== undefined && openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}

/** Whether the client takes gzip, and likes it no less than the plain bytes, by its `Accept-Encoding` header. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const codings = parse(acceptEncoding);
  const named = (name: string) => quality(codings.filter(({ type }) => type === name));
  const gzip = named('gzip') ?? named('x-gzip') ?? named('*') ?? 0;
  return gzip > 0 && gzip >= (named('identity') ?? 0);
}

function parse(header: string | undefined): Accept[] {
  return parseAccept(header ?? '').map((range) => ({ ...range, type: range.type.toLowerCase() }));
}

/** A range without version takes every version. */
function isVersion({ version = '' }: Readonly<Record<string, string>>, wanted: string): boolean {
  return version === '' || version === wanted;
}

/** The best of the ranges' q values; undefined where there is no range. */
function quality(ranges: readonly Accept[]): number | undefined {
  return ranges.length === 0 ? undefined : Math.max(...ranges.map(({ q }) => q));
}
