import { expect, it } from 'vitest';
import { newCgroups, UNIQUE } from '../live/support/cgroups.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeInCgroups } from '../live/support/privilege.ts';
import { parseExposition } from '../support/exposition.ts';
import { type How, run } from './support/program.ts';

/**
 * `ip netns exec` mounts a /sys of its own, in which no cgroup v2 is mounted. With a PID 1 of our own: that of the machine
 * may be guarded from everybody.
 */
const inside = ({ name }: NamedNamespace, ...launcher: string[]): How => ({
  launcher: [
    ...['unshare', '--pid', '--fork', '--mount-proc'],
    ...['sh', '-c', `ip netns exec ${name} "$@"; exit $?`, 'sh', ...launcher],
  ],
});

/** One owner, with two connections. */
function populated(): NamedNamespace {
  const namespace = new NamedNamespace();
  newCgroups().within(`${UNIQUE}-mailer.service`, () =>
    namespace.inside((world) => {
      for (let count = 0; count < 2; count++) world.connect('127.0.0.2');
    }),
  );
  return namespace;
}

async function scraped(how: How) {
  const { code, stdout, stderr } = await run(['--once'], how);
  expect(code, stderr).toBe(0);
  const series = parseExposition(stdout);
  return {
    stderr,
    success: series.find(
      ({ name, labels }) => name === 'port_exporter_sample_success' && labels['collector'] === 'owners',
    )?.value,
    owners: series
      .filter(({ name }) => name === 'port_owner_ephemeral_ports')
      .map(({ labels, value }) => [labels['owner'], value]),
    available: series.find(
      ({ name, labels }) => name === 'port_exhaustion_available_ports' && labels['scope'] === 'connect',
    )?.value,
  };
}

describeInCgroups('in a namespace entered by `ip netns exec`', () => {
  it("owners are found through PID 1's root", async () => {
    const { stderr, success, owners, available } = await scraped(inside(populated()));
    expect({ stderr, success, available }).toEqual({ stderr: '', success: 1, available: 98 });
    expect(owners).toContainEqual([`${UNIQUE}-mailer.service`, 2]);
  });

  it('owners are missing for a reason that is said, and the numbers are whole, where that is out of reach', async () => {
    const launcher = ['setpriv', '--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace', '--'];
    const namespace = populated();
    const { stderr, ...scrape } = await scraped(inside(namespace, ...launcher));
    expect(scrape).toEqual({ success: 0, owners: [], available: 98 });
    const why = `owners of sockets are unknown: no cgroup v2 is mounted, and /proc/1/root/`;
    expect(stderr).toMatch(/^[^\n]* level=warn msg="collector failed" [^\n]* collector=owners [^\n]*\n$/);
    expect(stderr).toContain(why);
    const explained = await run(['explain'], inside(namespace, ...launcher));
    expect(explained).toMatchObject({ code: 0, stderr: expect.stringContaining(why) });
    expect(explained.stdout).toContain('98 of 100 ports left');
  });
});
