import { expect, it } from 'vitest';
import { readOptions, writeOptions } from '../../src/sampling/handover.ts';
import { samplingOptions } from '../support/samplingOptions.ts';

it('a sampler gets the options as they were, also a regular expression', () => {
  for (const namespaces of ['all', 'self', /^(?:cni-.*|"\/\\)$/i] as const) {
    const options = samplingOptions({ namespaces });
    const handed = readOptions(writeOptions(options));
    expect(handed).toEqual(
      JSON.parse(JSON.stringify({ ...options, namespaces: 0 }), (key, value) =>
        key === 'namespaces' ? namespaces : value,
      ),
    );
  }
});
