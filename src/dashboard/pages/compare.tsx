import { Hono } from "hono";
import { joinList, splitList } from "../../domain/table-columns.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { MAX_CURVES } from "../client/lib/best-trials.ts";
import { page } from "../page.tsx";
import { Empty } from "../parts/empty.tsx";

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
      <section
        id="curves"
        aria-label="Curves"
        data-trials={trials.length <= MAX_CURVES ? trials.join(",") : undefined}
      />
    </>,
    { title, place: "/", scripts: ["compare", "curves"], data: { scope } },
  );
});
