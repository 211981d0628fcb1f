import type { Child } from "hono/jsx";

/** What is said where there is nothing to show. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Text to copy; a script gives it a button. */
export function Snippet({ text }: { text: string }) {
  return (
    <pre class="snippet" data-copy tabindex={0}>
      <code>{text}</code>
    </pre>
  );
}
