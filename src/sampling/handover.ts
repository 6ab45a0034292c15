import type { SamplingOptions } from './samplingOptions.ts';

/** The descriptor on which a sampler speaks. */
export const SPEAKING_FD = 3;
/** Where a sampler finds its options. */
export const OPTIONS_VARIABLE = 'PORT_EXPORTER_SAMPLER_OPTIONS';

/** Options as JSON, which unlike the structured clone algorithm is read safely from whoever wrote it. */
export function writeOptions(options: SamplingOptions): string {
  return JSON.stringify(options, (_key, value: unknown) =>
    value instanceof RegExp ? { pattern: value.source, flags: value.flags } : value,
  );
}

export function readOptions(text: string): SamplingOptions {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('pattern' in value && 'flags' in value))
      return value;
    return new RegExp(String(value.pattern), String(value.flags));
  });
}
