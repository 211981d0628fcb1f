import type { Child } from "hono/jsx";
import { useRequestContext } from "hono/jsx-renderer";
import type { Scope } from "../../../domain/words.ts";
import type { AppEnv } from "../../../routes/door/context.ts";

/** What the pages under `/delivery` have in common. */

const PLACES: readonly { name: string; href: string; scope: Scope }[] = [
  { name: "Overview", href: "/delivery", scope: "read" },
  { name: "Blocked", href: "/delivery/blocked", scope: "admin" },
  { name: "Dead letters", href: "/delivery/dead-letters", scope: "admin" },
  { name: "Refusals", href: "/delivery/refusals", scope: "admin" },
  { name: "Conflicts", href: "/delivery/conflicts", scope: "read" },
  { name: "Jobs", href: "/delivery/jobs", scope: "read" },
  { name: "Cron passes", href: "/delivery/passes", scope: "admin" },
  { name: "Tokens", href: "/delivery/tokens", scope: "admin" },
];

/** A page's heading under the places of delivery; what may not be seen is not offered. */
export function Delivery({
  at,
  title,
  aside,
  children,
}: {
  at: string;
  title: string;
  aside?: Child;
  children?: Child;
}) {
  const scopes = useRequestContext<AppEnv>().var.caller?.scopes ?? [];
  return (
    <>
      <nav class="tabs" aria-label="Delivery">
        {PLACES.filter(({ scope }) => scopes.includes(scope)).map(({ name, href }) => (
          <a href={href} aria-current={href === at ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="heading">
        <h1>{title}</h1>
        {aside}
      </div>
      {children}
    </>
  );
}

/** What every such page is rendered with. */
export const frameOf = (title: string) => ({ title, place: "/delivery" as const, scripts: ["actions"] });

/** A list's filters, all in the address. */
export function Filters({ children }: { children: Child }) {
  return (
    <form class="filter">
      {children}
      <button type="submit">Show</button>
    </form>
  );
}

/** A filter of free text. */
export function Search({ name, label, value }: { name: string; label: string; value: string | undefined }) {
  return <input type="search" name={name} value={value} placeholder={label} aria-label={label} />;
}

/** A list as a table; the rows are its children. A column without a name holds what can be done. */
export function List({ columns, children }: { columns: readonly string[]; children: Child }) {
  return (
    <div class="scroll">
      <table class="list">
        <thead>
          <tr>
            {columns.map((name) => (
              <th scope="col">{name === "" ? <span class="unseen">Actions</span> : name}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

type Option = { value: string; says: string };

/** A filter of one of a few words; an empty word stands for any. */
export function Choice({
  name,
  label,
  options,
  chosen,
}: {
  name: string;
  label: string;
  options: readonly Option[];
  chosen: string;
}) {
  return (
    <select name={name} aria-label={label} data-submit>
      {options.map(({ value, says }) => (
        <option value={value} selected={value === chosen}>
          {says}
        </option>
      ))}
    </select>
  );
}

/** The words themselves as options, behind one for all of them. */
export function anyOf(all: string, words: readonly string[]): Option[] {
  return [
    { value: "", says: all },
    ...words.map((word) => ({ value: word, says: word.replaceAll("_", " ") })),
  ];
}

/** JSON of a trainer's, or MLflow's, as text. */
export function Json({ value }: { value: unknown }) {
  return <code class="json">{JSON.stringify(value)}</code>;
}
