const NOBODY = 65_534;

/** What `run` returns, without the privileges of root where the tests have them. */
export function asNobody<T>(run: () => T): T {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(NOBODY);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
  }
}
