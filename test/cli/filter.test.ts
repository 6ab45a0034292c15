import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DESTINATION_KEYS } from '../../src/cli/destinationFilter.ts';
import { parseFilter } from '../../src/cli/filter.ts';
import { parsePlace, parsePortOrService } from '../../src/cli/filterValues.ts';
import { LISTENER_KEYS } from '../../src/cli/listenersCommand.ts';

const asText = {
  owner: (text: string) => text,
  process: (text: string) => text,
  dport: (text: string) => text,
};

/** A value as people give one: no key, operator or connective, and nothing that a shell would split. */
const value = fc
  .stringMatching(/^[a-z0-9@:./-]{1,20}$/)
  .filter((text) => !/^(?:and|eq|ne|neq|or|not|[gl](?:t|e|eq))$/.test(text));

/** Every way to write that a key has a value. */
const FORMS: readonly ((key: string, text: string) => string[])[] = [
  (key, text) => [key, text],
  (key, text) => [key, '=', text],
  (key, text) => [key, '==', text],
  (key, text) => [key, 'eq', text],
  (key, text) => [`${key}=${text}`],
  (key, text) => [`${key}=`, text],
  (key, text) => [key, `=${text}`],
  (key, text) => [`${key} = ${text}`],
];

describe('a filter', () => {
  it('means the same in every form that ss takes, with "and" or without', () => {
    const wanted = fc.uniqueArray(
      fc.record({
        key: fc.constantFrom('owner', 'process', 'dport'),
        text: value,
        form: fc.constantFrom(...FORMS),
        and: fc.constantFrom([], ['and'], ['&&'], ['&']),
      }),
      { selector: ({ key }) => key, maxLength: 3 },
    );
    fc.assert(
      fc.property(wanted, fc.boolean(), (parts, isOneArgument) => {
        const words = parts.flatMap(({ key, text, form, and }, index) => [
          ...(index === 0 ? [] : and),
          ...form(key, text),
        ]);
        const given = isOneArgument && words.length > 0 ? [words.join(' ')] : words;
        expect(parseFilter(given, asText)).toEqual(
          Object.fromEntries(parts.map(({ key, text }) => [key, text])),
        );
      }),
    );
  });

  it('of whatever words is parsed, or refused in one line', () => {
    const words = fc.array(
      fc.oneof(
        fc.string({ maxLength: 12 }),
        fc.constantFrom('dport', 'dst', 'state', '=', 'and', ':443', 'or'),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(words, fc.boolean(), (given, hasBare) => {
        try {
          parseFilter(given, DESTINATION_KEYS, hasBare ? 'dport' : undefined);
        } catch (error) {
          expect(error).toMatchObject({ name: 'ExporterError', message: expect.not.stringMatching(/\n/) });
        }
      }),
    );
  });

  it.each([
    [['prot', '80'], 'invalid filter "prot": expected state, dport, dst, src, owner, process with a value'],
    [['dport'], 'dport: has no value'],
    [['dport', '='], 'dport: has no value'],
    [['dport', ':443', 'dport', ':80'], 'dport: cannot be repeated'],
    [['dport', '!=', ':443'], 'dport: invalid filter "dport !=": expected only ='],
    [['dport', '70000'], 'dport: invalid value "70000": expected a port from 1 to 65535'],
    [
      ['dport', ':nosuch'],
      'dport: invalid value ":nosuch": expected a port from 1 to 65535 or the name of a service',
    ],
    [
      ['state', 'open'],
      'state: invalid value "open": expected one of established, time-wait, close-wait, other',
    ],
    [['src', '10.0.0.1:80'], 'src: invalid value "10.0.0.1:80": expected ADDRESS[/PREFIX]'],
    [
      ['dport', '1', 'or', 'dport', '2'],
      'invalid filter "or": expected only = and "and"; state, dport, dst, src, owner, process with a value',
    ],
    [['__proto__', 'x'], expect.stringContaining('invalid filter "__proto__"')],
  ])('of destinations %j is refused: %s', (words, line) => {
    expect(() => parseFilter(words, DESTINATION_KEYS)).toThrow(
      expect.objectContaining({ name: 'ExporterError', message: line }),
    );
  });

  it('of listeners may be a port, or the name of a service, alone', () => {
    expect(parseFilter(['8080'], LISTENER_KEYS, 'sport')).toEqual({ sport: 8080 });
    expect(parseFilter([':22', 'process', 'sshd'], LISTENER_KEYS, 'sport')).toEqual({
      sport: 22,
      process: 'sshd',
    });
    expect(() => parseFilter(['prot'], LISTENER_KEYS, 'sport')).toThrow(
      'invalid filter "prot": expected PORT or state, sport, src, owner, process, user with a value',
    );
    expect(() => parseFilter(['70000'], LISTENER_KEYS, 'sport')).toThrow('expected a port from 1 to 65535');
  });
});

describe('addresses in a filter', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', undefined, true],
    ['192.0.2.1:443', '192.0.2.1', 443, true],
    ['192.0.2.0/24', '192.0.2.77', undefined, true],
    ['192.0.2.0/24', '192.0.3.77', undefined, false],
    ['192.0.2.0/24:53', '192.0.2.77', 53, true],
    ['0.0.0.0/0', '2001:db8::1', undefined, false],
    ['2001:db8::1', '2001:db8::1', undefined, true],
    ['2001:db8::/32', '2001:db8:1::9', undefined, true],
    ['[2001:db8::1]:443', '2001:db8::1', 443, true],
    ['[2001:db8::]/32:443', '2001:db8::7', 443, true],
    ['::', '::', undefined, true],
  ])('%s', (text, address, port, matches) => {
    const place = parsePlace(text);
    expect([place.port, place.matches(address)]).toEqual([port, matches]);
  });

  it.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.1/33',
    '::1/129',
    '192.0.2.1:',
    '[192.0.2.1]:80',
    'fe80::1%eth0',
  ])('are not %j', (text) => {
    expect(() => parsePlace(text)).toThrow(/^invalid value ".*": expected ADDRESS/);
  });

  it('have ports by their number or service', () => {
    expect([':443', '443'].map(parsePortOrService)).toEqual([443, 443]);
  });
});
