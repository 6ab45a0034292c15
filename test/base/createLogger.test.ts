import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/base/createLogger.ts';
import { ExporterError } from '../../src/base/errors.ts';
import { type LogFormat, type LogLevel, silentLogger } from '../../src/base/logger.ts';

function collect(level: LogLevel, format: LogFormat) {
  const lines: string[] = [];
  return { lines, log: createLogger({ level, format }, (line) => lines.push(line)) };
}

describe('a logfmt logger', () => {
  it('writes time, level, message and fields in this order', () => {
    const { lines, log } = collect('info', 'logfmt');
    log.info('listening', { address: '[::1]:10069', sockets: 3 });
    expect(lines).toEqual([
      expect.stringMatching(
        /^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info msg=listening address=\[::1\]:10069 sockets=3\n$/,
      ),
    ]);
  });

  it('quotes a message of several words and leaves its percent signs alone', () => {
    const { lines, log } = collect('info', 'logfmt');
    log.warn('took 5 %s %% of a core');
    expect(lines[0]).toContain('level=warn msg="took 5 %s %% of a core"');
  });
});

describe('a JSON logger', () => {
  it('writes one object per line', () => {
    const { lines, log } = collect('debug', 'json');
    log.debug('sampled', { sockets: 3 });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'debug',
      time: expect.stringMatching(/Z$/),
      msg: 'sampled',
      sockets: 3,
    });
  });
});

describe.each(['logfmt', 'json'] as const)('a logger of %s', (format) => {
  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ] as const)('with level %s writes %j', (level, written) => {
    const { lines, log } = collect(level, format);
    for (const name of ['debug', 'info', 'warn', 'error'] as const) log[name](name);
    expect(lines.map((line) => /(?:level=|"level":")(\w+)/.exec(line)?.[1])).toEqual(written);
  });

  it('shows an Error as its one line with its cause, without the stack', () => {
    const { lines, log } = collect('info', format);
    log.error('failed', { error: new ExporterError('reading /proc', { cause: new Error('EACCES') }) });
    expect(lines[0]).toContain('reading /proc: EACCES');
    expect(lines[0]).not.toContain('logger.test');
  });

  it('writes exactly one line without control characters, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.anything()),
        (message, fields) => {
          const { lines, log } = collect('info', format);
          log.info(message, fields);
          expect(lines).toHaveLength(1);
          expect(lines[0]).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
        },
      ),
    );
  });
});

describe('the silent logger', () => {
  it('says nothing', () => {
    expect(silentLogger.error('failed', { error: new Error('x') })).toBeUndefined();
  });
});
