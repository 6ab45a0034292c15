#!/usr/bin/env node
import './base/noInspector.ts';
import './base/v8Flags.ts';
import { looksLikeDaemon } from './cli/looksLikeDaemon.ts';
import { separatePrivileges } from './launcher/separatePrivileges.ts';

// Before anything else is loaded: the daemon begins anew without its capabilities.
if (looksLikeDaemon(process.argv.slice(2), process.env)) separatePrivileges();
await import('./program.ts');
