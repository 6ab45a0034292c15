import type { Options } from './options.ts';

/** One answer needs no running commentary. */
export function quietUnlessAsked({ log }: Pick<Options, 'log'>): Options['log'] {
  return { ...log, level: log.level === 'info' ? 'warn' : log.level };
}
