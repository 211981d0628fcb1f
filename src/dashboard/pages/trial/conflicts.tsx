import type { TrialConflict } from "../../../answers/trials.ts";
import { Badge } from "../../parts/badge.tsx";
import { Time } from "../../parts/time.tsx";

/** What was said of this trial twice and differently. `its`: the parameters by which lists have this trial alone. */
export function TrialConflicts({ conflicts, its }: { conflicts: readonly TrialConflict[]; its: string }) {
  if (conflicts.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="conflicts-title">
      <h2 id="conflicts-title">Conflicts</h2>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              {["What", "Kept", "Refused", "Who said so", "When", "State"].map((name) => (
                <th scope="col">{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {conflicts.map(({ id, kind, field, kept, refused, source, created_at: at, state }) => (
              <tr>
                <th scope="row">
                  {field}
                  <small>{kind}</small>
                </th>
                <td class="mono text">{kept ?? <span class="none">nothing</span>}</td>
                <td class="mono text">{refused}</td>
                <td>{source === "mlflow" ? "MLflow" : "trainer"}</td>
                <td>
                  <Time at={at} />
                </td>
                <td>
                  <a href={`/delivery/conflicts?${its}#conflict-${id}`}>
                    <Badge word={state} />
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
