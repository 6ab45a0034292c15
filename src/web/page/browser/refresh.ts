import type { Idiomorph as Morpher } from 'idiomorph';

/** Put there by the script before this one. */
declare const Idiomorph: typeof Morpher;

/** An exporter that takes longer does not answer. */
const ANSWER_WITHIN_MS = 10_000;

/** By the clock on the wall: that of performance.now() may stand still while the computer is suspended, and the page ages. */
let receivedAt = Date.now();
let timer = 0;

document.addEventListener('visibilitychange', () => {
  window.clearTimeout(timer);
  if (!document.hidden) void refresh();
});
setInterval(growOlder, 1000);
schedule();

/** A tab that nobody sees asks for nothing. */
function schedule(): void {
  window.clearTimeout(timer);
  if (!document.hidden)
    timer = window.setTimeout(refresh, Number(document.documentElement.dataset['refreshMs']));
}

/** Fetches the page again and changes in place what is different, or says that there is no answer. */
async function refresh(): Promise<void> {
  try {
    // Not location.href: an address with a name and a password in it cannot be fetched.
    const response = await fetch(location.origin + location.pathname + location.search, {
      cache: 'no-store',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    show(new DOMParser().parseFromString(await response.text(), 'text/html'));
    receivedAt = Date.now();
    say('');
  } catch (error) {
    const why = error instanceof Error && error.message.startsWith('HTTP') ? ` (${error.message})` : '';
    say(
      `No data from port-exporter since ${new Date(receivedAt).toLocaleTimeString()}${why}: this page is out of date.`,
    );
  }
  growOlder();
  schedule();
}

function show(fresh: Document): void {
  const { dataset } = document.documentElement;
  const { build, refreshMs } = fresh.documentElement.dataset;
  const [shown, wanted] = [document.getElementById('page'), fresh.getElementById('page')];
  if (shown === null || wanted === null) throw new Error('HTTP response is another page');
  // Another version may have other styles and another script.
  if (build !== dataset['build']) {
    location.reload();
    return;
  }
  dataset['refreshMs'] = refreshMs;
  if (document.title !== fresh.title) document.title = fresh.title;
  Idiomorph.morph(shown, wanted, {
    morphStyle: 'outerHTML',
    callbacks: {
      // Whoever opened it closes it.
      beforeAttributeUpdated: (name, element) => !(name === 'open' && element instanceof HTMLDetailsElement),
    },
  });
}

/** Said once, and then left alone: a text that changes is read aloud again. */
function say(text: string): void {
  const banner = document.getElementById('connection');
  if (banner !== null && banner.textContent !== text) banner.textContent = text;
}

/** Between two answers the sample ages too. */
function growOlder(): void {
  const shown = document.getElementById('age');
  const seconds = Math.floor((Number(shown?.dataset['ageMs']) + Date.now() - receivedAt) / 1000);
  if (shown === null || Number.isNaN(seconds)) return;
  const text =
    seconds < 60
      ? `${seconds}s`
      : `${Math.floor(seconds / 60)}m${seconds % 60 === 0 ? '' : `${seconds % 60}s`}`;
  if (shown.textContent !== text) shown.textContent = text;
}
