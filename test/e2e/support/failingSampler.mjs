// Preloaded into the program under test: as soon as the file FAIL_WHEN is there, its sampler takes the file away
// and fails in the way that FAIL_WITH says.
import { existsSync, unlinkSync } from 'node:fs';

const WAYS = {
  throw() {
    throw new Error('a defect\nof two lines');
  },
  exit() {
    process.exit(3);
  },
  loop() {
    for (;;);
  },
};

const { FAIL_WITH = '', FAIL_WHEN = '' } = process.env;

if (process.argv[1]?.endsWith('/sampler.js')) {
  setInterval(() => {
    if (!existsSync(FAIL_WHEN)) return;
    unlinkSync(FAIL_WHEN);
    WAYS[FAIL_WITH]();
  }, 20);
}
