import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RecordedAnswer } from '../../src/kernel/recording.ts';
import { readRecording } from '../kernel/recordings.ts';
import { mixedWorld } from '../kernels/mixedState.ts';
import { describeLive } from '../live/support/privilege.ts';
import { replay } from '../sampling/replay.ts';
import { steady } from '../support/steady.ts';
import { newDirectory, newProcfs } from './support/procfs.ts';
import { Daemon, run, withMounts } from './support/program.ts';

const ONCE = ['--once', '--namespaces=self', '--processes.budget=0', '--owners.limit=0'];

/** Series without what a replay cannot know: names of the namespace and of cgroups. */
/** Without what is not recorded: tracked connections. */
function anonymous(exposition: string): string[] {
  return steady(exposition)
    .split('\n')
    .filter(
      (line) => /^port_/.test(line) && !/^port_(owner|namespace|conntrack|snat)|collector="snat"/.test(line),
    )
    .map((line) => line.replaceAll(/\b(netns|owner)="[^"]*"/g, '$1=""'));
}

describeLive('--debug.record', () => {
  it('records what its sample was made of, in a new file of its owner', async () => {
    const file = join(newDirectory(), 'recording');
    const world = mixedWorld();
    const { code, stdout, stderr } = await run([...ONCE, `--debug.record=${file}`]);
    world.close();
    expect(code).toBe(0);
    expect(stderr).toMatch(
      new RegExp(`level=warn msg="recorded [^"]*" file=${file} kernel=\\S+ dumps=\\d+ bytes=\\d+\n$`),
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(file).size).toBeLessThan(10_000);
    const replayed = anonymous(await replay(readRecording(file)));
    expect(replayed).toEqual(anonymous(stdout));
    expect(replayed.length).toBeGreaterThan(150);
  });

  it('of the own namespace alone, where others are sampled too', async () => {
    const directory = newDirectory();
    const world = mixedWorld();
    const asked = [];
    for (const namespaces of ['self', 'all']) {
      const file = join(directory, namespaces);
      const { stdout } = await run(['--once', `--namespaces=${namespaces}`, `--debug.record=${file}`]);
      const found = Number(/^port_namespaces (\d+)$/m.exec(stdout)?.[1]);
      asked.push({ found, questions: readRecording(file).answers.map(withoutAnswer) });
    }
    world.close();
    expect(asked[1]?.found).toBeGreaterThan(1);
    expect(asked[1]?.questions).toEqual(asked[0]?.questions);
  });
});

/** Of texts, those that do not change by themselves are left whole. */
function withoutAnswer(answer: RecordedAnswer): unknown {
  if (answer.kind === 'dump') return { ...answer, answers: [] };
  return answer.kind === 'text' && answer.path.includes('sockstat') ? answer.path : answer;
}

describeLive('a disk without room for a recording', () => {
  it('does not hide what sampling failed on', async () => {
    const procfs = newProcfs();
    writeFileSync(join(procfs, 'sys/net/ipv4/ip_local_port_range'), 'nonsense');
    const mount = newDirectory();
    const full = ['mount -t tmpfs -o size=4k tmpfs', mount, '&& head -c 4096 /dev/zero >', `${mount}/full`];
    const { code, stdout, stderr } = await run(
      [...ONCE, `--path.procfs=${procfs}`, `--debug.record=${mount}/recording`],
      { launcher: withMounts(full.join(' ')) },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /level=error msg="failed to record a sample" error="[^"]*: no space left on device \(ENOSPC\)"\nport-exporter: [^\n]*got "nonsense"[^\n]*\n$/,
    );
  });

  it('is an error of --once, and of the daemon a line in the log', async () => {
    const mount = newDirectory();
    const full = ['mount -t tmpfs -o size=4k tmpfs', mount, '&& head -c 4096 /dev/zero >', `${mount}/full`];
    const launcher = withMounts(full.join(' '));
    const flags = [`--debug.record=${mount}/recording`, '--namespaces=self'];
    const { code, stderr } = await run(['--once', ...flags], { launcher });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `port-exporter: writing ${mount}/recording: no space left on device (ENOSPC)\n`,
    });
    const daemon = await Daemon.started(flags, { launcher });
    await daemon.logged(
      /level=error msg="failed to record a sample" error=".*: no space left on device \(ENOSPC\)"/,
    );
    await daemon.end();
  });
});

it.each(['', '/file'])('--once leaves a file that is there as it is, and ends: %j', async (below) => {
  const file = join(newDirectory(), 'recording');
  writeFileSync(file, 'precious');
  const { code, stdout, stderr } = await run([...ONCE, `--debug.record=${file}${below}`]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  const reason = below === '' ? 'file already exists (EEXIST)' : 'not a directory (ENOTDIR)';
  expect(stderr).toBe(`port-exporter: creating ${file}${below} for a recording: ${reason}\n`);
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

it('--once records what it failed on', async () => {
  const procfs = newProcfs();
  writeFileSync(join(procfs, 'sys/net/ipv4/ip_local_port_range'), 'nonsense');
  const file = join(newDirectory(), 'recording');
  const { code, stderr } = await run([...ONCE, `--path.procfs=${procfs}`, `--debug.record=${file}`]);
  expect(code).toBe(1);
  expect(stderr).toContain('got "nonsense"');
  expect(readRecording(file).answers).toContainEqual({
    ...{ kind: 'text', path: 'sys/net/ipv4/ip_local_port_range', content: 'nonsense' },
  });
});

it('the daemon records its first sample, and samples on where it cannot', async () => {
  const file = join(newDirectory(), 'recording');
  const told = [
    /level=warn msg="recorded .*" file=/,
    /level=error msg="failed to record .*" error=".*: .* \(EEXIST\)"/,
  ];
  for (const line of told) {
    const daemon = await Daemon.started(['--sample.interval=100ms', `--debug.record=${file}`]);
    await daemon.logged(line);
    const before = await sampledAt(daemon);
    await expect.poll(() => sampledAt(daemon)).toBeGreaterThan(before);
    expect(
      daemon.lines.filter((one) => /record/.test(one) && !one.includes('reading socket tables')),
    ).toEqual([expect.stringMatching(line)]);
    await daemon.end();
  }
  expect(readRecording(file).answers.length).toBeGreaterThan(10);
});

async function sampledAt(daemon: Daemon): Promise<number> {
  const { text } = await daemon.get('/metrics');
  return Number(/^port_exporter_sample_timestamp_seconds (\S+)$/m.exec(text)?.[1]);
}
