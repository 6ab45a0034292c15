/** An exposition without what differs from one run or machine to the next. */
export function steady(exposition: string): string {
  return exposition
    .replaceAll(/^(port_(?:exporter_sample|canary)_(?:duration|age)_seconds\{.*\}) \S+$/gm, '$1 SECONDS')
    .replace(/^(port_exporter_sample_timestamp_seconds) \S+$/m, '$1 TIMESTAMP')
    .replaceAll(/(?<= ?service=)"[^"]*"/g, 'SERVICE')
    .replace(/(?<=^port_exporter_build_info)\{.*\}/m, '{BUILD}');
}
