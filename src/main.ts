#!/usr/bin/env node
import './base/noInspector.ts';
import './base/v8Flags.ts';
import { writeSync } from 'node:fs';
import { errorLine } from './base/errors.ts';
import { checkLimits } from './base/processLimits.ts';
import { looksLikeDaemon } from './cli/looksLikeDaemon.ts';

// The rest is loaded later: all its modules are opened side by side, and without descriptors for that there is a stack trace.
try {
  checkLimits();
} catch (error) {
  writeSync(2, `port-exporter: ${errorLine(error)}\n`);
  process.exit(1);
}
// Before the rest, because the daemon begins anew without its capabilities.
if (looksLikeDaemon(process.argv.slice(2), process.env)) {
  const { separatePrivileges } = await import('./launcher/separatePrivileges.ts');
  separatePrivileges();
}
await import('./program.ts');
