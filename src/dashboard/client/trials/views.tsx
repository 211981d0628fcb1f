import { useState } from "hono/jsx/dom";
import { dropView, MAX_NAME_CHARS, readViews, saveView } from "../lib/saved-views.ts";

/** Views of the table under names; they open on any model run. */
export function Views() {
  const [views, setViews] = useState(() => readViews(localStorage));
  return (
    <details class="menu">
      <summary class="button">Views {views.length > 0 && <small>{views.length}</small>}</summary>
      <div>
        <ul aria-label="Saved views">
          {views.map(({ name, query }) => (
            <li key={name}>
              <a href={`?${query}`}>{name}</a>
              <button
                type="button"
                class="icon"
                aria-label={`Forget the view ${name}`}
                onClick={() => setViews(dropView(localStorage, name))}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
        <form
          onSubmit={(event: Event) => {
            event.preventDefault();
            if (!(event.target instanceof HTMLFormElement)) return;
            const name = String(new FormData(event.target).get("name") ?? "");
            setViews(saveView(localStorage, { name, query: location.search.slice(1) }));
            event.target.reset();
          }}
        >
          <input
            type="text"
            name="name"
            required
            maxlength={MAX_NAME_CHARS}
            placeholder="Name"
            aria-label="Name of this view"
          />
          <button type="submit">Save</button>
        </form>
      </div>
    </details>
  );
}
