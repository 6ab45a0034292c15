import { hashSync } from 'bcrypt';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { PasswordCheck, requirePassword } from '../../src/web/basicAuth.ts';
import { NO_WEB_CONFIG } from '../../src/web/config/webConfig.ts';

const USERS = new Map([
  ['prometheus', hashSync('right', 4)],
  ['dear', hashSync('dear', 6)],
  ['schlüssel', hashSync('pässwörd', 4)],
  ['long', hashSync('x'.repeat(72), 4)],
]);

function app(users: ReadonlyMap<string, string> = USERS, passwords = new PasswordCheck()) {
  const hono = new Hono();
  hono.use(requirePassword(() => ({ ...NO_WEB_CONFIG, users }), passwords));
  return hono.get('/metrics', (c) => c.text('port_example 1\n'));
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

async function status(authorization: string | undefined, hono = app()): Promise<number> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  return (await hono.request('/metrics', { headers })).status;
}

/** A check that counts what it computes, in units of a hash of cost 0. */
function counting(answer: (password: string, hash: string) => boolean | Promise<boolean> = () => false) {
  const counted = { calls: 0, units: 0, most: 0, running: 0 };
  const check = new PasswordCheck(async (password, hash) => {
    counted.calls++;
    counted.units += 2 ** Number(hash.slice(4, 6));
    counted.most = Math.max(counted.most, ++counted.running);
    try {
      return await answer(password, hash);
    } finally {
      counted.running--;
    }
  });
  return { counted, check };
}

describe('basic authentication', () => {
  it('knows without computing who was right before, or whom nobody asks', async () => {
    const { counted, check } = counting((password) => password === 'right');
    const request = (password: string) =>
      new Request('http://x/', { headers: { authorization: basic('prometheus', password) } });
    expect(check.isRemembered(USERS, request('right'))).toBe(false);
    for (const password of ['right', 'wrong']) await check.check(USERS, 'prometheus', password);
    const { calls } = counted;
    expect(check.isRemembered(USERS, request('right'))).toBe(true);
    expect(check.isRemembered(USERS, request('wrong'))).toBe(false);
    expect(check.isRemembered(USERS, new Request('http://x/'))).toBe(false);
    expect(check.isRemembered(new Map([['prometheus', hashSync('right', 4)]]), request('right'))).toBe(false);
    expect(check.isRemembered(new Map(), new Request('http://x/'))).toBe(true);
    expect(counted.calls).toBe(calls);
  });

  it('keeps no connection of whom it refuses', async () => {
    const { headers } = await app().request('/metrics');
    expect(headers.get('connection')).toBe('close');
    const right = { authorization: basic('prometheus', 'right') };
    expect((await app().request('/metrics', { headers: right })).headers.get('connection')).toBeNull();
  });

  it.each([
    ['a user and the right password', basic('prometheus', 'right'), 200],
    ['letters beyond ASCII', basic('schlüssel', 'pässwörd'), 200],
    ['a scheme in capitals', basic('prometheus', 'right').replace('Basic', 'BASIC'), 200],
    ['a wrong password', basic('prometheus', 'wrong'), 401],
    ['the password of another user', basic('prometheus', 'dear'), 401],
    ['an unknown user', basic('nobody', 'right'), 401],
    ['a name of every object', basic('constructor', 'right'), 401],
    ['no password', basic('prometheus', ''), 401],
    ['the right one and more behind a zero byte', basic('prometheus', 'right\0more'), 401],
    ['nothing', undefined, 401],
    ['an empty header', '', 401],
    ['another scheme', 'Bearer right', 401],
    ['something that is not base64', 'Basic !!!!', 401],
    ['no colon', `Basic ${Buffer.from('prometheus').toString('base64')}`, 401],
    ['a megabyte', basic('prometheus', 'x'.repeat(1 << 20)), 401],
  ])('with %s is %s', async (_, authorization, expected) => {
    expect(await status(authorization)).toBe(expected);
  });

  it('does not take what begins with a right password of 72 bytes, as bcrypt would', async () => {
    expect(await status(basic('long', 'x'.repeat(72)))).toBe(200);
    expect(await status(basic('long', 'x'.repeat(73)))).toBe(401);
    expect(await status(basic('long', `${'x'.repeat(72)}y`))).toBe(401);
  });

  it('asks for a password with a 401 on every path, and says no more', async () => {
    const response = await app().request('/nothing');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="port-exporter", charset="UTF-8"');
    expect(await response.text()).toBe('401 Unauthorized\n');
  });

  it('asks nobody where there are no users', async () => {
    expect(await status(undefined, app(new Map()))).toBe(200);
  });
});

describe('a refusal', () => {
  it.each([
    ['an unknown user', 'nobody', 'right'],
    ['a wrong password of a cheap hash', 'prometheus', 'wrong'],
    ['a wrong password of a dear hash', 'dear', 'wrong'],
    ['a password that is too long', 'long', 'x'.repeat(100)],
  ])('of %s costs what the dearest hash costs', async (_, user, password) => {
    const { counted, check } = counting();
    expect(await check.check(USERS, user, password)).toBe('denied');
    expect(counted.units).toBe(2 ** 6);
  });

  it('is computed anew each time', async () => {
    const { counted, check } = counting();
    for (let count = 0; count < 3; count++) await check.check(USERS, 'dear', 'wrong');
    expect(counted.calls).toBe(3);
  });
});

describe('a right password', () => {
  it('is computed once, also where many come at the same time', async () => {
    const { counted, check } = counting(() => true);
    const all = Array.from({ length: 100 }, () => check.check(USERS, 'dear', 'dear'));
    expect(new Set(await Promise.all(all))).toEqual(new Set(['granted']));
    expect(await check.check(USERS, 'dear', 'dear')).toBe('granted');
    expect(counted.calls).toBe(1);
  });

  it('is remembered for its user and its hash only', async () => {
    const check = new PasswordCheck();
    expect(await check.check(USERS, 'dear', 'dear')).toBe('granted');
    expect(await check.check(USERS, 'prometheus', 'dear')).toBe('denied');
    const changed = new Map([...USERS, ['dear', hashSync('other', 4)]] as [string, string][]);
    expect(await check.check(changed, 'dear', 'dear')).toBe('denied');
    const removed = new Map([...USERS].filter(([user]) => user !== 'dear'));
    expect(await check.check(removed, 'dear', 'dear')).toBe('denied');
  });

  it('that was computed before is let in at once during a flood of wrong ones', async () => {
    const { check } = counting((password) => (password === 'right' ? true : new Promise(() => {})));
    expect(await check.check(USERS, 'prometheus', 'right')).toBe('granted');
    for (let count = 0; count < 100; count++) void check.check(USERS, 'prometheus', `wrong ${count}`);
    expect(await check.check(USERS, 'prometheus', 'right')).toBe('granted');
  });
});

describe('a flood of wrong passwords', () => {
  it('computes one at a time, makes few wait, and is told 503 beyond them', async () => {
    const { counted, check } = counting(() => new Promise((resolve) => setTimeout(() => resolve(false), 5)));
    const hono = app(new Map([['a', hashSync('a', 4)]]), check);
    const statuses = await Promise.all(
      Array.from({ length: 50 }, (_, count) => status(basic('a', `wrong ${count}`), hono)),
    );
    expect(statuses.filter((one) => one === 401)).toHaveLength(8);
    expect(statuses.filter((one) => one === 503)).toHaveLength(42);
    expect(counted).toMatchObject({ calls: 8, most: 1 });
    expect(await status(basic('a', 'wrong again'), hono)).toBe(401);
  });

  it('that fails in the library fails alone', async () => {
    const check = new PasswordCheck((password) =>
      password === 'broken' ? Promise.reject(new Error('defect')) : Promise.resolve(true),
    );
    await expect(check.check(USERS, 'dear', 'broken')).rejects.toThrow('defect');
    expect(await check.check(USERS, 'dear', 'dear')).toBe('granted');
  });
});
