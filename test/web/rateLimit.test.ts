import { hashSync } from 'bcrypt';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NO_WEB_CONFIG, type WebConfig } from '../../src/web/config/webConfig.ts';
import { plainApp } from './served.ts';

const RATE = { burst: 2, intervalMs: 1_500 };
const PROMETHEUS = { authorization: `Basic ${btoa('prometheus:right')}` };
const WRONG = { authorization: `Basic ${btoa('prometheus:wrong')}` };
const users = new Map([['prometheus', hashSync('right', 4)]]);

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** An app whose configuration can be changed, and the statuses of requests to it, one after the other. */
function limited(parts: Partial<WebConfig>) {
  const state = { config: { ...NO_WEB_CONFIG, rateLimit: RATE, ...parts } as WebConfig };
  const app = plainApp({ config: () => state.config, allowedHosts: ['here.example'] });
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { host: 'here.example', ...headers } });
  const statuses = async (count: number, path = '/metrics', headers: Record<string, string> = {}) => {
    const all: number[] = [];
    for (let done = 0; done < count; done++) all.push((await get(path, headers)).status);
    return all;
  };
  return { state, get, statuses };
}

describe('with a rate limit', () => {
  it('requests beyond the burst get a 429, and one more each interval is answered', async () => {
    const { statuses } = limited({});
    expect(await statuses(4)).toEqual([200, 200, 429, 429]);
    vi.advanceTimersByTime(1_499);
    expect(await statuses(1)).toEqual([429]);
    vi.advanceTimersByTime(1);
    expect(await statuses(2)).toEqual([200, 429]);
  });

  it('a 429 is one line, says in how many seconds to come again, and has the security headers', async () => {
    const { get, statuses } = limited({ headers: { 'X-XSS-Protection': '0' } });
    await statuses(2);
    const answer = await get('/metrics');
    expect(answer.status).toBe(429);
    expect(await answer.text()).toBe('429 Too Many Requests: rate_limit of the web configuration reached\n');
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.headers.get('x-xss-protection')).toBe('0');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('connection')).toBeNull();
  });

  it('every path counts, those that are not there too', async () => {
    const { statuses } = limited({});
    expect(await statuses(1, '/nothing')).toEqual([404]);
    expect(await statuses(1, '/readme')).toEqual([404]);
    expect(await statuses(1, '/metrics')).toEqual([429]);
  });

  it('health is always told, and costs scrapes nothing', async () => {
    const { statuses } = limited({});
    expect(new Set(await statuses(20, '/-/healthy'))).toEqual(new Set([200]));
    expect(new Set(await statuses(20, '/-/ready'))).toEqual(new Set([200]));
    expect(await statuses(3)).toEqual([200, 200, 429]);
    expect(await statuses(1, '/-/healthy')).toEqual([200]);
  });

  it('requests to another host cost scrapes nothing', async () => {
    const { statuses } = limited({});
    expect(new Set(await statuses(20, '/metrics', { host: 'evil.example' }))).toEqual(new Set([421]));
    expect(await statuses(1)).toEqual([200]);
  });

  it('another rate holds at the next request, and none', async () => {
    const { state, statuses } = limited({});
    expect(await statuses(3)).toEqual([200, 200, 429]);
    state.config = { ...state.config, rateLimit: { burst: 1, intervalMs: 10 } };
    vi.advanceTimersByTime(10);
    expect(await statuses(2)).toEqual([200, 429]);
    state.config = NO_WEB_CONFIG;
    expect(new Set(await statuses(20))).toEqual(new Set([200]));
  });

  it('a change of other settings fills no bucket', async () => {
    const { state, statuses } = limited({});
    await statuses(2);
    state.config = { ...state.config, headers: { 'X-XSS-Protection': '0' }, rateLimit: { ...RATE } };
    expect(await statuses(1)).toEqual([429]);
  });
});

describe('with a rate limit and users', () => {
  it('whoever has no password uses up nothing of those whose password was right before', async () => {
    const { statuses } = limited({ users });
    expect(await statuses(1, '/metrics', PROMETHEUS)).toEqual([200]);
    expect(await statuses(3)).toEqual([401, 429, 429]);
    expect(await statuses(2, '/metrics', WRONG)).toEqual([429, 429]);
    expect(await statuses(3, '/metrics', PROMETHEUS)).toEqual([200, 200, 429]);
  });

  it('passwords cannot be tried faster, at no path', async () => {
    const { statuses } = limited({ users });
    expect(await statuses(3, '/-/healthy', WRONG)).toEqual([401, 401, 429]);
    expect(await statuses(1, '/metrics', WRONG)).toEqual([429]);
  });

  it('whoever has no password keeps no connection', async () => {
    const { get, statuses } = limited({ users });
    await statuses(2);
    expect((await get('/metrics')).headers.get('connection')).toBe('close');
  });
});
