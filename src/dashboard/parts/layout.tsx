import { raw } from "hono/html";
import { jsxRenderer } from "hono/jsx-renderer";
import type { Caller } from "../../routes/door/token-cache.ts";

/** The frame of every page: what is in its head, the bar at its top, and where its own part goes. */

const PLACES = [
  { name: "Model runs", href: "/" },
  { name: "Experiments", href: "/experiments" },
  { name: "Delivery", href: "/delivery" },
] as const;

export type PageProps = {
  /** For the browser's tab; the heading is the page's own. */
  title: string;
  /** Which of the bar's places this page belongs to. */
  place?: (typeof PLACES)[number]["href"];
  /** The page's own scripts: entries of `client/` by name. */
  scripts?: readonly string[];
  /** What those are given, as JSON in the element `#data`. */
  data?: unknown;
};

declare module "hono" {
  interface ContextRenderer {
    // biome-ignore lint/style/useShorthandFunctionType: an interface is what can be extended
    (content: string | Promise<string>, props: PageProps): Response | Promise<Response>;
  }
}

/** Sets how a page is framed: `c.render(content, { title, ... })`. */
export const layout = jsxRenderer(
  ({ children, title, place, scripts = [], data }, c) => {
    const caller: Caller | undefined = c.var.caller;
    return (
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>{`${title} · Trial Relay`}</title>
          <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
          <link rel="stylesheet" href="/assets/style.css" />
          <script src="/assets/theme.js" />
          <script type="module" src="/assets/page.js" />
          {scripts.map((name) => (
            <script type="module" src={`/assets/${name}.js`} />
          ))}
        </head>
        <body>
          <a class="skip" href="#main">
            Skip to the content
          </a>
          <Bar place={place} caller={caller} />
          <main id="main" tabindex={-1}>
            {children}
          </main>
          {caller && <Palette />}
          {data !== undefined && <Data value={data} />}
        </body>
      </html>
    );
  },
  { docType: true },
);

function Bar({ place, caller }: { place: string | undefined; caller: Caller | undefined }) {
  return (
    <header class="bar">
      <a class="brand" href="/">
        <img src="/assets/icon.svg" alt="" width="20" height="20" />
        Trial Relay
      </a>
      {caller && (
        <nav aria-label="Places">
          {PLACES.map(({ name, href }) => (
            <a href={href} aria-current={href === place ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
      )}
      <span class="space" />
      {caller && (
        <button type="button" class="find" data-palette>
          Find <kbd>Ctrl K</kbd>
        </button>
      )}
      {caller?.scopes.includes("read") && (
        <a href="/delivery" class="badge over" data-status title="How far MLflow has what was reported">
          Delivery
        </a>
      )}
      <a class="quiet" href="/docs">
        API
      </a>
      <button type="button" class="icon" data-theme-toggle aria-label="Light or dark">
        ◐
      </button>
      {caller && (
        <form method="post" action="/sign-out">
          <button type="submit" class="quiet">
            Sign out
          </button>
        </form>
      )}
    </header>
  );
}

/** What Ctrl-K opens; a script fills it. */
function Palette() {
  return (
    <dialog class="palette" aria-label="Find">
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="choices"
        aria-label="A name or an id"
        placeholder="Model run, trial, experiment, run or page"
        autocomplete="off"
        spellcheck={false}
      />
      <div id="choices" role="listbox" aria-label="Found" />
    </dialog>
  );
}

/** JSON that no text in it can end. */
function Data({ value }: { value: unknown }) {
  const json = JSON.stringify(value).replaceAll("<", "\\u003c");
  return (
    <script type="application/json" id="data">
      {raw(json)}
    </script>
  );
}
