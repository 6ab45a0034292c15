/** A kernel release as uname(2) gives it, `6.12.9+deb13-amd64`, is at least 6.8. False where it is not understood. */
export function releaseAtLeast(kernelRelease: string, major: number, minor: number): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? [];
  if (first === undefined || second === undefined) return false;
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}
