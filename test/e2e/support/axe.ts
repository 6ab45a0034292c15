import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe objects to, one line each: the rule, and what breaks it. */
export async function violationsOn(page: Page): Promise<string[]> {
  // The page's policy lets no script in but its own; this is the debugger's.
  const results = (await page.evaluate(`${AXE}; axe.run(document)`)) as axe.AxeResults;
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
  );
}
