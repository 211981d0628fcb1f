import { rankCorrelation } from "../lib/rank-correlation.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";
import { short } from "./words.ts";

const MAX_SHOWN = 30;

/** Which parameters go along with the metric. */
export function Importance({
  data,
  params,
  metric,
}: {
  data: TableData;
  params: readonly string[];
  metric: string;
}) {
  const judged = cellsOf(data, metric) ?? [];
  const found = params
    .flatMap((name) => {
      const correlation = rankCorrelation(cellsOf(data, name) ?? [], judged);
      return correlation ? [{ name, ...correlation }] : [];
    })
    .sort((a, b) => Math.abs(b.rho) - Math.abs(a.rho));
  return (
    <section class="panel">
      <h2>Which parameters matter</h2>
      <p class="hint">
        {`Spearman's rank correlation with ${short(labelOf(metric).text)} over the trials that have both. It sees only what rises or falls with a parameter alone, and is no proof of a cause.`}
      </p>
      {found.length === 0 ? (
        <p class="none">Too few trials, or no parameter with an order that varies.</p>
      ) : (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Parameter</th>
                <th scope="col">Strength</th>
                <th scope="col" class="number">
                  Correlation
                </th>
                <th scope="col" class="number">
                  Trials
                </th>
              </tr>
            </thead>
            <tbody>
              {found.slice(0, MAX_SHOWN).map(({ name, rho, pairs }) => (
                <tr key={name}>
                  <th scope="row" dir="auto">
                    {short(labelOf(name).text)}
                  </th>
                  <td>
                    <meter
                      min={0}
                      max={1}
                      value={Math.abs(rho)}
                      aria-label={`Strength of ${short(labelOf(name).text)}`}
                    />
                  </td>
                  <td class="number">{`${rho > 0 ? "+" : "−"}${Math.abs(rho).toFixed(3)}`}</td>
                  <td class="number">{pairs}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
