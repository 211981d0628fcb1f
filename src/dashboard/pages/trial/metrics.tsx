import { bestIs } from "../../../domain/table-columns.ts";
import type { WireNumber } from "../../../domain/values.ts";
import type { TrialFacts } from "../../../store/views/trial.ts";
import { shortNumber } from "../../parts/number.ts";

/** Every metric's last value and its extremes, of which the better one is marked. */
export function TrialMetrics({ metrics }: { metrics: TrialFacts["metrics"] }) {
  const rows = Object.entries(metrics);
  return (
    <section class="panel" aria-labelledby="metrics-title">
      <h2 id="metrics-title">Metrics</h2>
      {rows.length === 0 ? (
        <p class="hint">None yet.</p>
      ) : (
        <section class="scroll tall" tabindex={0} aria-label="Values of metrics">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Metric</th>
                {["Last", "Step", "Min", "Max", "Points"].map((name) => (
                  <th scope="col" class="number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(([key, { last, last_step: step, min, max, count }]) => (
                <tr>
                  <th scope="row">{key}</th>
                  <Value value={last} />
                  <td class="number">{step ?? <span class="none">end</span>}</td>
                  <Value value={min} best={bestIs(key) === "min"} />
                  <Value value={max} best={bestIs(key) === "max"} />
                  <td class="number">{count}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

function Value({ value, best = false }: { value: WireNumber | null; best?: boolean }) {
  if (value === null) return <td class="number none">–</td>;
  return (
    <td class="number" title={best ? `best: ${value}` : String(value)}>
      {best ? <strong>{shortNumber(value)}</strong> : shortNumber(value)}
    </td>
  );
}
