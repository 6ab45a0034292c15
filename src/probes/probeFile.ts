import * as z from 'zod/mini';
import { formatDuration, parsePeriod } from '../base/duration.ts';
import { ExporterError } from '../base/errors.ts';
import type { FileReader } from '../base/fileReader.ts';
import { mapOf, parseYaml } from '../base/parseYaml.ts';
import {
  DEFAULT_INTERVAL_MS,
  DEFAULT_TIMEOUT_MS,
  type ProbeTarget,
  parseEndpoint,
  parseSource,
} from './target.ts';

/**
 * The targets of a probe file. Throws an ExporterError that begins with the file's name and the line at fault.
 *
 * @param taken names that it must not use again
 */
export async function loadProbeFile(
  file: string,
  reader: FileReader,
  taken: readonly string[],
): Promise<readonly ProbeTarget[]> {
  const text = (await reader.read(file)).toString('utf8');
  return parseProbeFile(text, file, taken);
}

export function parseProbeFile(text: string, name: string, taken: readonly string[]): readonly ProbeTarget[] {
  const { values, errorAt } = parseYaml(text, name, FILE);
  const names = new Set(taken);
  return values.map(({ name, target, source, ...given }, index) => {
    if (names.has(name)) throw errorAt([index, 'name'], `duplicate name ${JSON.stringify(name)}`);
    names.add(name);
    const intervalMs = given.interval ?? DEFAULT_INTERVAL_MS;
    const timeoutMs = given.timeout ?? Math.min(DEFAULT_TIMEOUT_MS, intervalMs);
    if (timeoutMs > intervalMs) {
      throw errorAt(
        [index, 'timeout'],
        `${formatDuration(timeoutMs)} is longer than the interval of ${formatDuration(intervalMs)}`,
      );
    }
    const probe = { name, ...target, intervalMs, timeoutMs };
    if (source === undefined) return probe;
    try {
      return { ...probe, source: parseSource(source, target.host) };
    } catch (thrown) {
      throw thrown instanceof ExporterError ? errorAt([index, 'source'], thrown.message) : thrown;
    }
  });
}

/** A label value that people read: what a terminal or a dashboard would not show is none. */
const NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u;

const LEAST_INTERVAL_MS = 1_000;

const DURATION = 'a duration like 500ms or 15s';

const PROBE = {
  name: text().check(z.regex(NAME, 'expected 1 to 128 visible characters')),
  target: z.pipe(text(), saying(parseEndpoint)),
  interval: z.optional(
    z.pipe(
      text(DURATION),
      saying((period) => parsePeriod(period, LEAST_INTERVAL_MS)),
    ),
  ),
  timeout: z.optional(
    z.pipe(
      text(DURATION),
      saying((period) => parsePeriod(period)),
    ),
  ),
  source: z.optional(text()),
};

const FILE = z.array(mapOf(PROBE, 'expected a map with name and target'), {
  error: 'expected a list of probes ([] for none)',
});

function text(expected = 'a string') {
  return z.string({
    error: ({ input }) =>
      input === undefined ? 'is missing' : `invalid value ${JSON.stringify(input)}: expected ${expected}`,
  });
}

/** A parser whose error is what zod says of the setting. */
function saying<T>(parse: (text: string) => T) {
  return z.transform((text: string, context): T => {
    try {
      return parse(text);
    } catch (thrown) {
      if (!(thrown instanceof ExporterError)) throw thrown;
      context.issues.push({ code: 'custom', input: text, message: thrown.message });
      return z.NEVER;
    }
  });
}
