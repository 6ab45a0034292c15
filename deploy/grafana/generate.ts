import { writeFileSync } from 'node:fs';
import { dashboardJson } from './dashboard.ts';

writeFileSync(new URL('./port-exporter.json', import.meta.url), dashboardJson());
