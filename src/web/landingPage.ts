import { html } from 'hono/html';

/** What a browser sees at `/`: which program this is, and links (`paths`, absolute) to the rest. */
export function landingPage(version: string, paths: readonly string[]) {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>port-exporter</title></head>
<body>
<h1>port-exporter ${version}</h1>
<p>How many further connect() and bind() calls succeed before ephemeral ports run out.</p>
<ul>
${paths.map((path) => html`<li><a href="${path}">${path}</a></li>\n`)}</ul>
</body>
</html>
`;
}
