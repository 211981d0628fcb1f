/** The page's whole style, light and dark by what the reader's system prefers. */
export const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d9dde3, #343a44); --soft: light-dark(#f5f6f8, #1c2027);
  --text: light-dark(#1c2330, #dfe3ea); --dim: light-dark(#5b6576, #97a1b2); --link: light-dark(#0b57c2, #7fb2ff);
  --page: light-dark(#fff, #14171c); --get: light-dark(#0b6b3a, #5fd08f); --post: light-dark(#8a4b00, #f0b060);
  --delete: light-dark(#b3261e, #ff8a80); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
code, pre { font: 0.87em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.2rem 1rem 2rem; background: var(--soft);
  border-right: 1px solid var(--line); font-size: 0.87rem; }
nav a { display: flex; gap: 0.5rem; padding: 0.14rem 0; color: var(--text); }
nav .title { margin: 0; font-size: 1.05rem; font-weight: 650; }
nav .group { margin-top: 0.9rem; font-weight: 650; }
nav .method { flex: none; width: 3.2rem; padding: 0; border: 0; text-transform: uppercase; }
main { max-width: 60rem; padding: 1.5rem 2.5rem 6rem; }
h1 { margin: 0 0 0.6rem; font-size: 1.75rem; }
h2 { margin: 3rem 0 0.3rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); font-size: 1.3rem; }
h3 { margin: 0 0 0.3rem; font-size: 1.02rem; }
h3 a { color: inherit; }
article { margin: 1.4rem 0 2.2rem; }
article:target h3 a { color: var(--link); }
p { margin: 0.4rem 0; }
.address code { font-size: 0.95em; font-weight: 600; overflow-wrap: anywhere; }
.method { padding: 0.05rem 0.45rem; border: 1px solid currentColor; border-radius: 4px; color: var(--dim);
  font: 600 0.72rem/1.6 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.method.get { color: var(--get); } .method.post, .method.put, .method.patch { color: var(--post); }
.method.delete { color: var(--delete); }
.scope { color: var(--dim); font-size: 0.85rem; margin-left: 0.4rem; }
.status { font-weight: 650; font-variant-numeric: tabular-nums; }
.status.s2 { color: var(--get); } .status.s4 { color: var(--post); } .status.s5 { color: var(--delete); }
small { color: var(--dim); }
table { width: 100%; margin: 0.7rem 0; border-collapse: collapse; font-size: 0.9rem; }
th { text-align: left; color: var(--dim); font-weight: 600; }
th, td { padding: 0.32rem 0.8rem 0.32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th:first-child, td:first-child { width: 30%; } th:nth-child(2), td:nth-child(2) { width: 30%; }
.answers th:first-child, .answers td:first-child { width: 4.5rem; } .answers th:nth-child(2), .answers td:nth-child(2) { width: auto; }
.answers th:last-child, .answers td:last-child { width: 12rem; padding-right: 0; }
pre { margin: 0.7rem 0; padding: 0.7rem 0.9rem; overflow-x: auto; background: var(--soft); border: 1px solid var(--line);
  border-radius: 6px; }
pre.copy { user-select: all; -webkit-user-select: all; cursor: copy; }
summary { color: var(--link); cursor: pointer; }
ul { margin: 0.4rem 0; padding-left: 1.2rem; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; max-height: 45vh; border: 0; border-bottom: 1px solid var(--line); }
  main { padding: 1rem 1rem 4rem; } }
@media print { nav { display: none; } body { display: block; } }
`;
