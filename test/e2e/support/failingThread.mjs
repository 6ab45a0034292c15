// Preloaded into the program under test: as soon as the file FAIL_WHEN is there, its sampling thread takes the file away
// and fails in the way that FAIL_WITH says.
import { existsSync, unlinkSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

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

if (!isMainThread) {
  setInterval(() => {
    if (!existsSync(FAIL_WHEN)) return;
    unlinkSync(FAIL_WHEN);
    WAYS[FAIL_WITH]();
  }, 20);
}
