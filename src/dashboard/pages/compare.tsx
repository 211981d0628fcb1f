import { Hono } from "hono";
import { joinList, splitList } from "../../domain/table-columns.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { page } from "../page.tsx";
import { Empty } from "../parts/empty.tsx";

/** Of so many trials the curves are drawn in one chart. */
const MAX_CURVES = 20;

/** `/compare`: some trials (`?trials=`), or all of a model run (`?model_run=`), side by side. */
export const comparePage = new Hono<AppEnv>({ strict: false });

comparePage.get("/compare", page("read"), (c) => {
  const modelRun = c.req.query("model_run") ?? "";
  const trials = splitList(c.req.query("trials") ?? "").filter((key) => key !== "");
  const title = "Compare trials";
  if (modelRun === "" && trials.length === 0)
    return c.render(
      <Empty title="Nothing to compare yet">
        <p>
          Select trials in the table of a <a href="/">model run</a>, then press Compare.
        </p>
      </Empty>,
      { title },
    );
  const scope = trials.length > 0 ? { trials: joinList(trials) } : { model_run_id: modelRun };
  return c.render(
    <>
      <p class="crumbs">
        <a href="/">Model runs</a>
        {modelRun !== "" && (
          <>
            {" / "}
            <a href={`/model-runs/${encodeURIComponent(modelRun)}`}>{modelRun}</a>
          </>
        )}
      </p>
      <div class="heading">
        <h1>{title}</h1>
      </div>
      <section id="compare" aria-label="Comparison">
        <p class="hint">Reading the trials…</p>
      </section>
      {trials.length > 0 && (
        <section id="curves" aria-label="Curves" data-trials={trials.slice(0, MAX_CURVES).join(",")} />
      )}
    </>,
    { title, place: "/", scripts: trials.length > 0 ? ["compare", "curves"] : ["compare"], data: { scope } },
  );
});
