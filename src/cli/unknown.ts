import { closestMatch } from 'leven';

/** `, did you mean --web.listen-address?`; '' where no candidate resembles the word. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const letters = word.replace(/^-+/, '').length;
  // Two letters that changed places are two changes; in a short word, that would make it any other one.
  const maxDistance = letters < 5 ? Math.min(1, letters - 2) : Math.max(2, Math.floor(letters * 0.4));
  const meant = maxDistance < 1 ? undefined : closestMatch(word, candidates, { maxDistance });
  return meant === undefined ? '' : `, did you mean ${meant}?`;
}

/**
 * A word of Go's style, `-web.listen-address`, or several letters behind one dash: there is none of that kind, and yargs would
 * take its letters for flags of their own. undefined where there is none before `--`.
 */
export function singleDashed(argv: readonly string[]): string | undefined {
  const end = argv.indexOf('--');
  const word = argv.slice(0, end < 0 ? argv.length : end).find((one) => /^-[^-\d]/.test(one) && one !== '-h');
  return word?.replace(/=.*$/s, '');
}
