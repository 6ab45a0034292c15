import { afterAll } from 'vitest';
import { removeDirectories } from '../e2e/support/procfs.ts';

// Here, not beside what makes them: unit tests share a process, in which a helper is loaded once and this for each file.
afterAll(removeDirectories);
