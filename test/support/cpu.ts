/** Milliseconds of CPU time that `run` takes: unlike those of the clock, no other process adds to them. */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
