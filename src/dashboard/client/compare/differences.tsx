import { cellText, titleOf } from "../lib/cell-text.ts";
import { differencesOf } from "../lib/differences.ts";
import { labelOf } from "../lib/shown-columns.ts";
import type { TableData } from "../lib/table-data.ts";
import { nameOfTrial, short } from "./words.ts";

/** More trials do not fit side by side. */
const MAX_SIDE_BY_SIDE = 20;

/** The columns in which the trials are not all alike, a trial a column. */
export function Differences({ data, columns }: { data: TableData; columns: readonly string[] }) {
  const found = differencesOf(data, columns);
  const places = [...data.trials.id.keys()].slice(0, MAX_SIDE_BY_SIDE);
  const left = data.trials.id.length - places.length;
  return (
    <section class="panel">
      <h2>What differs</h2>
      <p class="hint">
        {found.length === 0
          ? "The trials are alike in every column."
          : `${found.length} of ${columns.length} columns.${left > 0 ? ` The first ${places.length} trials; ${left} more count among the values.` : ""}`}
      </p>
      {found.length > 0 && (
        <div class="scroll tall">
          <table class="list differences">
            <thead>
              <tr>
                <th scope="col">Column</th>
                <th scope="col" class="number">
                  Values
                </th>
                {places.map((place) => (
                  <th scope="col" key={place}>
                    <a href={`/trials/${data.trials.id[place]}`} dir="auto">
                      {nameOfTrial(data, place)}
                    </a>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.map(({ name, cells, distinct }) => (
                <tr key={name}>
                  <th scope="row" dir="auto">
                    {short(labelOf(name).text)} <small>{labelOf(name).kind}</small>
                  </th>
                  <td class="number">{distinct}</td>
                  {places.map((place) => (
                    <td key={place} dir="auto" title={titleOf(name, cells[place] ?? null)}>
                      {short(cellText(name, cells[place] ?? null))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
