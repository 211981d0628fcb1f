import { cellText, titleOf } from "../client/lib/cell-text.ts";
import { labelOf } from "../client/lib/shown-columns.ts";
import { cellsOf, type TableData } from "../client/lib/table-data.ts";
import { Badge } from "./badge.tsx";

/** The first rows of a table of trials, before any script has run; the grid then takes their place. */
export function FirstRows({
  data,
  columns,
  total,
}: {
  data: TableData;
  columns: readonly string[];
  total: number;
}) {
  const cells = columns.map((name) => ({ name, list: cellsOf(data, name) ?? [] }));
  if (data.trials.id.length === 0) return <p class="hint">No trial fits.</p>;
  return (
    <>
      <div class="toolbar waiting">
        <output class="dim">{`${total} ${total === 1 ? "trial" : "trials"}`}</output>
      </div>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              {columns.map((name) => (
                <th scope="col">
                  <span class="cut">{labelOf(name).text}</span> <small>{labelOf(name).kind}</small>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.trials.id.map((id, place) => (
              <tr>
                {cells.map(({ name, list }) => {
                  const cell = list[place] ?? null;
                  const text = cellText(name, cell);
                  return (
                    <td>
                      {name === "trial_id" ? (
                        <a class="cut" href={`/trials/${id}`}>
                          {text}
                        </a>
                      ) : name === "status" || name === "sync_state" ? (
                        <Badge word={text} />
                      ) : (
                        <span class="cut" title={titleOf(name, cell)}>
                          {text}
                        </span>
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
