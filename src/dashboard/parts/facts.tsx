import type { Child } from "hono/jsx";

/** What is known of something, a line each. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: Child])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value ?? <span class="none">–</span>}</dd>
        </>
      ))}
    </dl>
  );
}

/** Keys and texts as they were sent, in a panel of their own; nothing where there are none. */
export function Texts({ title, pairs }: { title: string; pairs: readonly { key: string; value: string }[] }) {
  if (pairs.length === 0) return null;
  return (
    <section class="panel">
      <h2>
        {title} <small>{pairs.length}</small>
      </h2>
      <dl class="facts mono">
        {pairs
          .toSorted((a, b) => (a.key < b.key ? -1 : 1))
          .map(({ key, value }) => (
            <>
              <dt>{key}</dt>
              <dd>{value}</dd>
            </>
          ))}
      </dl>
    </section>
  );
}

/** An id, with a button to copy it. */
export function Id({ text }: { text: string | null }) {
  if (text === null) return <span class="none">–</span>;
  return (
    <span class="id">
      <code>{text}</code> <span data-copy={text} />
    </span>
  );
}

/** The way from the top to a page. */
export function Crumbs({ of }: { of: readonly (readonly [name: string, href: string])[] }) {
  return (
    <p class="crumbs">
      {of.map(([name, href], i) => (
        <>
          {i > 0 && " / "}
          <a href={href}>{name}</a>
        </>
      ))}
    </p>
  );
}
