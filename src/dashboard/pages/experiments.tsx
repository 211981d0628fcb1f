import { Hono } from "hono";
import type { AppEnv } from "../../routes/door/context.ts";
import { readCursor, toPage } from "../../routes/door/cursor.ts";
import { maybe, paging, readQuery, someText } from "../../routes/door/query.ts";
import { type ExperimentRow, listAllExperiments } from "../../store/views/experiment-list.ts";
import { page } from "../page.tsx";
import { Badge } from "../parts/badge.tsx";
import { Empty } from "../parts/empty.tsx";
import { MlflowAnchor, mlflowAddress } from "../parts/mlflow-anchor.tsx";
import { Head, Pager } from "../parts/table.tsx";

const query = { ...paging, search: maybe(someText, "A part of the name.") };

/** `/experiments`: those of trials, those of MLflow's clients, and those that are only in MLflow. */
export const experimentsPage = new Hono<AppEnv>({ strict: false });

experimentsPage.get("/experiments", page("read"), async (c) => {
  const { relay } = c.var;
  const { limit, cursor, search } = readQuery(c, query);
  const listed = await listAllExperiments(relay.db, search ?? null, readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const url = new URL(c.req.url);
  const order = { url, sort: "" };
  const title = "Experiments";
  return c.render(
    <>
      <div class="heading">
        <h1>{title}</h1>
        <search>
          <form class="filter">
            <input type="search" name="search" value={search} placeholder="Name" aria-label="Name" />
            <button type="submit">Show</button>
          </form>
        </search>
      </div>
      <div data-live>
        {rows.length === 0 ? (
          <Empty title={search === undefined ? "No experiment is known yet" : "No experiment fits"}>
            <p>
              Experiments are made by what trainers name, by MLflow's own clients, or in MLflow itself; those
              the relay sees when it is asked to (<code>POST /api/sync/experiments/:id/pull</code>).
            </p>
          </Empty>
        ) : (
          <div class="scroll">
            <table class="list">
              <thead>
                <tr>
                  <Head {...order}>Experiment</Head>
                  <Head {...order}>Runs</Head>
                  <Head {...order}>By status</Head>
                  <Head {...order}>In MLflow</Head>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <ExperimentLine row={row} there={mlflowAddress(relay, row.mlflowExperimentId)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
        <Pager url={url} next={next_cursor} />
      </div>
    </>,
    { title, place: "/experiments" },
  );
});

function ExperimentLine({ row, there }: { row: ExperimentRow; there: string | null }) {
  const total = Object.values(row.runs).reduce((sum, count) => sum + count, 0);
  const states = Object.entries(row.runs).map(([status, count]) => `${count} ${status.toLowerCase()}`);
  return (
    <tr>
      <th scope="row">
        <a href={`/experiments/${encodeURIComponent(row.id)}`}>{row.name}</a>
        <small class="mono">{row.id}</small>
      </th>
      <td>
        {total}
        {row.waiting > 0 && <small>{row.waiting} more on their way</small>}
      </td>
      <td>{states.length === 0 ? <span class="none">–</span> : states.join(", ")}</td>
      <td>{row.lifecycle === "deleted" ? <Badge word="deleted" /> : <MlflowAnchor to={there} />}</td>
    </tr>
  );
}
