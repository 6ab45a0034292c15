import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptsGzip, chooseFormat } from '../../src/web/negotiate.ts';

describe('the format', () => {
  it.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['a wildcard', '*/*'],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
    ['text only', 'text/plain;version=0.0.4'],
    ['text without version', 'text/plain'],
    ['something else only', 'application/json'],
    ['OpenMetrics less than text', 'application/openmetrics-text;q=0.3,text/plain;q=0.7'],
    ['OpenMetrics less than any text', 'application/openmetrics-text;q=0.3,text/*;q=0.7'],
    ['OpenMetrics less than anything', 'application/openmetrics-text;q=0.3,*/*'],
    ['OpenMetrics refused', 'application/openmetrics-text;q=0'],
    ['an OpenMetrics we do not speak', 'application/openmetrics-text;version=0.0.1'],
    [
      'Prometheus set to text',
      'text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1',
    ],
    ['protobuf, then text', 'application/vnd.google.protobuf;encoding=delimited;q=0.7,text/plain;q=0.3'],
    ['nonsense', ';;,=q,,"'],
  ])('is text for %s', (_, accept) => {
    expect(chooseFormat(accept)).toBe('text');
  });

  it.each([
    ['its type alone', 'application/openmetrics-text'],
    ['its type in capitals', 'Application/OpenMetrics-Text; Version=1.0.0'],
    ['an equal taste for text', 'text/plain,application/openmetrics-text'],
    [
      'Prometheus 2',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    ],
    [
      'Prometheus 3',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    ],
    [
      'Prometheus 3 with native histograms',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    ],
  ])('is OpenMetrics for %s', (_, accept) => {
    expect(chooseFormat(accept)).toBe('openmetrics');
  });

  it('is one of the two, whatever the header', () => {
    const words = [
      'application/openmetrics-text',
      'text/plain',
      '*/*',
      ';q=',
      '0.5',
      ',',
      ';version=',
      '"',
      ' ',
    ];
    const headers = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...words)).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(headers, (header) => {
        expect(['text', 'openmetrics']).toContain(chooseFormat(header));
        expect([true, false]).toContain(acceptsGzip(header));
      }),
    );
  });
});

describe('gzip', () => {
  it.each(['gzip', 'GZIP', 'x-gzip', '*', 'deflate, gzip;q=0.5', 'identity;q=0.5, gzip', 'br;q=1, *;q=0.1'])(
    'is taken by %j',
    (header) => {
      expect(acceptsGzip(header)).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    'identity',
    'deflate, br',
    'gzip;q=0',
    'gzip;q=0, *',
    '*;q=0',
    'identity, gzip;q=0.5',
  ])('is not taken by %j', (header) => {
    expect(acceptsGzip(header)).toBe(false);
  });
});
