import type { Child } from "hono/jsx";
import { withQuery } from "./query.ts";

/** Tables whose whole state is in the address: headings that sort, and the way to the next page. */

type HeadProps = {
  children: Child;
  /** The sort of this column; none where it cannot be sorted by. */
  by?: string;
  /** Whether a first click puts the greatest first. */
  greatest?: boolean;
  url: URL;
  sort: string;
  number?: boolean;
};

/** A column's heading. */
export function Head({ children, by, greatest = false, url, sort, number }: HeadProps) {
  const cls = number ? "number" : undefined;
  if (by === undefined)
    return (
      <th scope="col" class={cls}>
        {children}
      </th>
    );
  const [up, down] = [by, `-${by}`];
  const now = sort === up ? "ascending" : sort === down ? "descending" : undefined;
  const next = now === undefined ? (greatest ? down : up) : sort === up ? down : up;
  return (
    <th scope="col" class={cls} aria-sort={now}>
      <a href={withQuery(url, { sort: next, cursor: null })}>{children}</a>
    </th>
  );
}

/** The way on, where there is more. */
export function Pager({ url, next }: { url: URL; next: string | null }) {
  const isFirst = !url.searchParams.has("cursor");
  if (isFirst && next === null) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {!isFirst && <a href={withQuery(url, { cursor: null })}>First page</a>}
      {next !== null && (
        <a rel="next" href={withQuery(url, { cursor: next })}>
          Next page
        </a>
      )}
    </nav>
  );
}
