/** The bench could not measure, and the message says why in one line. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}
